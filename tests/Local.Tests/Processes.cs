using System.Diagnostics;

namespace QueueScale.Local.Tests;

public sealed class Processes : IAsyncDisposable
{
    private readonly FolderForTest _test = new();

    private RunFolder Folder => _test.Folder;

    public ValueTask DisposeAsync() => _test.DisposeAsync();

    [Fact]
    public async Task A_started_process_leads_its_own_session_and_is_found_again_by_its_pid_file()
    {
        var process = await LocalProcess.StartAsync(Folder, new ProgramStart("sleeper", "sleep", "1000"));

        Assert.Equal(process.Pid, ProcessStat.TryRead(process.Pid)!.Value.Session);
        Assert.Equal(process.Pid, LocalProcess.Find(Folder, "sleeper")!.Pid);
        Assert.Equal(["sleeper"], Folder.ProcessNames());
    }

    [Fact]
    public async Task Output_goes_to_the_log_and_only_the_lines_of_this_start_are_its_last_lines()
    {
        for (var start = 1; start <= 2; start++)
        {
            var process = await LocalProcess.StartAsync(Folder, new ProgramStart("speaker", "sh", "-c", $"echo out {start}; echo err {start} >&2; exit 7"));
            Assert.Equal(7, await process.WaitForExitAsync());
            Assert.Equal($"  out {start}\n  err {start}", process.LastLines());
        }
    }

    [Fact]
    public async Task A_signal_that_ends_it_shows_in_the_exit_code()
    {
        var process = await LocalProcess.StartAsync(Folder, new ProgramStart("sleeper", "sleep", "1000"));
        process.Signal(Signal.Kill);
        Assert.Equal(128 + 9, await process.WaitForExitAsync());
        Assert.False(process.IsRunning);
    }

    [Fact]
    public async Task A_program_that_is_not_there_is_a_start_that_ends_with_127()
    {
        var process = await LocalProcess.StartAsync(Folder, new ProgramStart("nobody", "/no/such/program"));
        Assert.Equal(127, await process.WaitForExitAsync());
        Assert.Contains("/no/such/program", process.LastLines(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Variables_are_added_and_removed()
    {
        Environment.SetEnvironmentVariable("LOCAL_TEST_GONE", "here");
        var process = await LocalProcess.StartAsync(Folder, new ProgramStart("speaker", "sh", "-c", "echo \"$LOCAL_TEST_NEW|${LOCAL_TEST_GONE-}\"")
        {
            Environment = new Dictionary<string, string?> { ["LOCAL_TEST_NEW"] = "with 'quotes' and spaces" },
            WithoutVariables = ["LOCAL_TEST_GO"],
        });
        await process.WaitForExitAsync();
        Assert.Equal("  with 'quotes' and spaces|", process.LastLines());
    }

    [Fact]
    public async Task The_pid_file_of_a_process_that_is_gone_is_not_believed_when_its_number_names_another_one()
    {
        using var foreign = Process.Start("sleep", "1000");
        Folder.Create();
        await File.WriteAllTextAsync(Path.Combine(Folder.PidFiles, "api.pid"), $"{foreign.Id} 1234 0\n");

        Assert.Null(LocalProcess.Find(Folder, "api"));
        await new LocalSystem(Folder).DownAsync();
        Assert.False(foreign.HasExited);
        foreign.Kill();
        await foreign.WaitForExitAsync();
    }

    [Theory, InlineData(""), InlineData("12"), InlineData("x y z"), InlineData("-1 2 3")]
    public async Task A_damaged_pid_file_counts_as_none(string content)
    {
        Folder.Create();
        await File.WriteAllTextAsync(Path.Combine(Folder.PidFiles, "api.pid"), content);
        Assert.Null(LocalProcess.Find(Folder, "api"));
    }

    [Fact]
    public async Task A_zombie_counts_as_gone()
    {
        var parent = await LocalProcess.StartAsync(Folder, new ProgramStart("parent", "sh", "-c", "sleep 0.01 & echo $!; exec sleep 1000"));
        var zombie = await Until(() => ProcessStat.All().Where(process => process.Parent == parent.Pid && process.State == 'Z').Cast<ProcessStat?>().FirstOrDefault());
        Assert.False(zombie.Identity.IsAlive);
    }

    [Fact]
    public async Task Stopping_ends_children_too_even_in_sessions_of_their_own()
    {
        var process = await LocalProcess.StartAsync(Folder, new ProgramStart("parent", "sh", "-c", "setsid sleep 1000 & sleep 1000 & exec sleep 1000"));
        await Until(() => process.Tree().Count == 3 ? process : null);

        Assert.True(await process.StopAsync(TimeSpan.FromSeconds(5)));
        Assert.Empty(_test.Processes());
        Assert.Empty(Folder.ProcessNames());
    }

    [Fact]
    public async Task What_ignores_SIGTERM_is_killed_when_patience_ends()
    {
        var process = await LocalProcess.StartAsync(Folder, new ProgramStart("deaf", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"));
        await Until(() => process.LastLines().Contains("ready", StringComparison.Ordinal) ? process : null);

        Assert.False(await process.StopAsync(TimeSpan.FromMilliseconds(200)));
        Assert.False(process.IsRunning);
    }

    [Fact]
    public async Task A_frozen_process_can_be_stopped_politely()
    {
        var process = await LocalProcess.StartAsync(Folder, new ProgramStart("frozen", "sleep", "1000"));
        process.SignalAll(Signal.Stop);
        await Until(() => ProcessStat.TryRead(process.Pid) is { State: 'T' } ? process : null);

        Assert.True(await process.StopAsync(TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public async Task A_process_whose_pid_file_was_lost_is_found_as_a_leftover_and_ended()
    {
        var lost = await LocalProcess.StartAsync(Folder, new ProgramStart("lost", "sleep", "1000"));
        var known = await LocalProcess.StartAsync(Folder, new ProgramStart("known", "sleep", "1000"));
        File.Delete(Path.Combine(Folder.PidFiles, "lost.pid"));

        Assert.Equal([lost.Pid], Leftovers.Find(Folder).Select(process => process.Pid));
        await Leftovers.EndAsync(Folder);
        Assert.False(lost.IsRunning);
        Assert.True(known.IsRunning);
    }

    private static async Task<T> Until<T>(Func<T?> look) where T : class
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(10); await Task.Delay(10))
        {
            if (look() is { } seen) return seen;
        }
        throw new TimeoutException("It did not come about within 10 s.");
    }

    private static async Task<ProcessStat> Until(Func<ProcessStat?> look) => ((ProcessStat?)await Until(() => (object?)look())).Value;
}
