namespace QueueScale.Faults.Tests;

/// <summary>Without its protection each scenario breaks the rule that the protection is for: the checker would notice.</summary>
public sealed class ControlTests(ControlGround ground) : IClassFixture<ControlGround>
{
    [Theory]
    [MemberData(nameof(ControlGround.Names), MemberType = typeof(ControlGround))]
    public async Task Without_the_protection_the_checker_finds_the_rule_broken(string name)
    {
        var control = Control.All.Single(control => control.Name == name);
        var verdict = await Aim.RunAsync(ground.Ground, control, protectionIsOff: true);
        Assert.True(verdict.Broken.Any(broken => control.Rules.Contains(broken.Rule)), verdict.Report(stories: 1));
    }

    /// <summary>It is the protection, and nothing else of the scenario, that makes the difference. Takes a minute and a half: <c>./queuescale test --only FaultControls -- -explicit on</c>.</summary>
    [Theory(Explicit = true)]
    [MemberData(nameof(ControlGround.Names), MemberType = typeof(ControlGround))]
    public async Task With_the_protection_the_same_scenario_breaks_no_rule(string name)
    {
        var verdict = await Aim.RunAsync(ground.Ground, Control.All.Single(control => control.Name == name), protectionIsOff: false);
        Assert.True(verdict.Passed, verdict.Report(stories: 1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_worker_that_ends_without_a_signal_of_the_suite_breaks_C12(bool asked)
    {
        var verdict = await Aim.RunAsync(ground.Ground, new Control("end", ["C12"], async aim =>
        {
            await aim.StartApiAsync();
            var worker = await aim.StartWorkerAsync("");
            Action<Signal> send = asked ? worker.Signal : worker.Process.Signal;
            send(Signal.Terminate);
            await worker.Process.WaitForExitAsync();
        }), protectionIsOff: false);
        Assert.Equal(asked ? [] : ["C12"], verdict.Broken.Select(broken => broken.Rule));
    }
}

public sealed class ControlGround : IAsyncLifetime
{
    public static TheoryData<string> Names => [.. Control.All.Select(control => control.Name)];

    internal Ground Ground { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Ground = await Ground.StartAsync(RunFolder.OfTests.Below("controls"));

    public ValueTask DisposeAsync() => Ground.DisposeAsync();
}
