using System.Net.Sockets;
using System.Text.Json;

namespace QueueScale.Local.Tests;

/// <summary>The commands as programs, on a real system: what they print for programs, and how they end.</summary>
[Collection<OnOneSystem>]
public sealed class Commands(RunningSystem running)
{
    private static readonly string[] BothWorkers = ["worker-1", "worker-2"];

    private readonly CommandLineProgram cli = running.Cli;

    [Fact]
    public async Task Up_says_where_everything_is()
    {
        var up = await cli.JsonAsync("up", "--detach", "--json", "--workers", "2");

        using var http = new HttpClient { DefaultRequestHeaders = { { "Authorization", $"Bearer {Text(up, "key")}" } } };
        await http.GetStringAsync($"{Text(up, "api")}/v1/queues");
        Assert.Equal(Text(up, "api"), Text(Assert.Single(Rows(up, "apis")), "url"));
        Assert.All([.. Rows(up, "apis"), .. Rows(up, "workers")], process =>
        {
            Assert.True(ProcessStat.TryRead(process.GetProperty("pid").GetInt32())!.Value.Identity.IsAlive);
            Assert.Equal("""{"status":"live"}""", http.GetStringAsync($"{Text(process, "url")}/health/live").Result);
        });
        Assert.Equal(BothWorkers, Rows(up, "workers").Select(worker => Text(worker, "name")));
        Assert.Equal(Rows(up, "workers").Select(NameAndPid), Rows(await cli.JsonAsync("workers", "--json"), "items").Select(NameAndPid).Order());

        Assert.Equal(running.Folder.DataRoot, Text(up, "dataRoot"));
        Assert.True(Directory.Exists(Text(up, "dataRoot")));
        Assert.Equal("current", Text(await cli.JsonAsync("migrate", "--json", "--postgres", Text(up, "postgres")), "schema")); // so it connects
        var rabbit = new Uri(Text(up, "rabbitmq"));
        Assert.Equal("amqp", rabbit.Scheme);
        using var broker = new TcpClient(rabbit.Host, rabbit.Port);

        static string NameAndPid(JsonElement worker) => $"{Text(worker, "name")} {worker.GetProperty("pid")}";
    }

    [Fact]
    public async Task The_exit_code_of_a_waited_for_job_says_whether_it_succeeded()
    {
        Assert.Contains(" succeeded after ", (await cli.RunAsync("submit", "probe.noop", "--wait")).With(0).Output, StringComparison.Ordinal);

        string[] failing = ["submit", "probe.fail", "--input", """{"times": 9}""", "--max-attempts", "1", "--wait"];
        Assert.Contains(" failed after ", (await cli.RunAsync(failing)).With(1).Output, StringComparison.Ordinal);
        var failed = (await cli.RunAsync([.. failing, "--json"])).With(1).Json;
        Assert.Equal(("failed", "InvalidOperationException: Attempt 1 fails because the input asks for 9 failures."), (Text(failed, "state"), Text(failed.GetProperty("error"), "message")));

        (await cli.RunAsync("watch", Text(failed, "id"))).With(1);
    }

    [Fact]
    public async Task The_input_comes_from_a_file_or_from_standard_input()
    {
        var file = Path.Combine(running.Folder.FullPath, "input.json");
        await File.WriteAllTextAsync(file, """{"seconds": 0.1, "steps": 3}""");
        Assert.Equal(3, StepsOf(await cli.JsonAsync("submit", "probe.sleep", "--input", $"@{file}", "--wait", "--json")));
        Assert.Equal(4, StepsOf((await cli.RunOnAsync("""{"seconds": 0.1, "steps": 4}""", "submit", "probe.sleep", "--input", "-", "--wait", "--json")).With(0).Json));

        static int StepsOf(JsonElement job) => job.GetProperty("result").GetProperty("steps").GetInt32();
    }

    [Fact]
    public async Task Each_command_about_jobs_prints_one_line_of_JSON()
    {
        var job = await cli.JsonAsync("submit", "probe.noop", "--delay", "PT1H", "--priority", "high", "--tag", "listed", "--json");
        var id = Text(job, "id");
        Assert.Equal(("scheduled", "high"), (Text(job, "state"), Text(job, "priority")));

        Assert.Equal(id, Text(Assert.Single(Rows(await cli.JsonAsync("jobs", "--tag", "listed", "--json"), "items")), "id"));
        Assert.Empty(Rows(await cli.JsonAsync("jobs", "--tag", "listed", "--state", "running", "--json"), "items"));
        Assert.Contains("default", Rows(await cli.JsonAsync("queues", "--json"), "items").Select(queue => Text(queue, "name")));

        using (var watching = cli.Begin("watch", id, "--json"))
        {
            Assert.Equal("cancelled", Text(await cli.JsonAsync("cancel", id, "--json"), "state"));
            Assert.Equal("cancelled", Text(JsonElement.Parse(await watching.StandardOutput.ReadToEndAsync()), "state"));
            await watching.WaitForExitAsync();
            Assert.Equal(1, watching.ExitCode);
        }

        Assert.Contains("It is cancelled and can no longer be cancelled.", (await cli.RunAsync("cancel", id)).With(1).Error, StringComparison.Ordinal);
        Assert.Contains($"{id} cancelled", (await cli.RunAsync("watch", id)).With(1).Output, StringComparison.Ordinal);
        Assert.Equal("current", Text(await cli.JsonAsync("migrate", "--json"), "schema"));
    }

    [Fact]
    public async Task A_queue_is_paused_and_resumed_a_job_is_unique_and_many_are_cancelled_and_run_again_by_a_filter()
    {
        Assert.True((await cli.JsonAsync("queues", "pause", "bulk", "--json")).GetProperty("paused").GetBoolean());
        try
        {
            string[] submit = ["submit", "probe.noop", "--queue", "bulk", "--unique-key", "only-one", "--tag", "filtered", "--json"];
            var id = Text(await cli.JsonAsync(submit), "id");
            Assert.Equal(id, Text(await cli.JsonAsync(submit), "id"));
            Assert.Equal(1, (await cli.JsonAsync("cancel", "--tag", "filtered", "--dry-run", "--json")).GetProperty("matched").GetInt64());
            Assert.Equal(1, (await cli.JsonAsync("cancel", "--tag", "filtered", "--json")).GetProperty("matched").GetInt64());
            await cli.RunAsync("watch", id); // ends when it is cancelled
            Assert.Equal(1, (await cli.JsonAsync("retry", "--tag", "filtered", "--state", "cancelled", "--dry-run", "--json")).GetProperty("matched").GetInt64());
            await cli.JsonAsync("retry", "--tag", "filtered", "--state", "cancelled", "--rate", "10", "--json");
            for (var looks = 0; looks < 60 && Rows(await cli.JsonAsync("jobs", "--tag", "filtered", "--state", "queued", "--json"), "items").Count() != 1; looks++)
            {
                await Task.Delay(250); // it is done in the background
            }

            Assert.False((await cli.JsonAsync("queues", "resume", "bulk", "--json")).GetProperty("paused").GetBoolean());
            (await cli.RunAsync("watch", id)).With(0);
        }
        finally
        {
            await cli.RunAsync("queues", "resume", "bulk");
        }

        Assert.Contains("No live worker has the name 'nobody'", (await cli.RunAsync("workers", "drain", "nobody")).With(1).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Which jobs?", "cancel")]
    [InlineData("Which jobs?", "retry", "--dry-run")]
    [InlineData("--queue", "retry", "019a0000-0000-7000-8000-000000000000", "--queue", "mail")]
    [InlineData("--dry-run", "cancel", "019a0000-0000-7000-8000-000000000000", "--dry-run")]
    [InlineData("queues pause --help", "queues", "pause")]
    [InlineData("--inputs", "submit", "probe.noop", "--inputs", "{}")]
    [InlineData("--input", "submit", "probe.noop", "--input", "{")]
    [InlineData("/no/such/file", "submit", "probe.noop", "--input", "@/no/such/file")]
    [InlineData("--max-attempts", "submit", "probe.noop", "--max-attempts", "many")]
    [InlineData("--priority", "submit", "probe.noop", "--priority", "highest")]
    [InlineData("'submit'", "submit")]
    [InlineData("--state", "jobs", "--state", "gone")]
    [InlineData("--workers", "up", "--detach", "--workers", "65")]
    [InlineData("--detach", "up", "--detach", "--workers", "auto")]
    [InlineData("'perhaps'", "down", "--wipe", "perhaps")]
    [InlineData("'number-5'", "watch", "number-5")]
    [InlineData("'number-5'", "cancel", "number-5")]
    [InlineData("--key", "queues", "--api", "http://127.0.0.1:9")]
    [InlineData("'nowhere'", "workers", "--api", "nowhere")]
    [InlineData("/no/such/file", "demo", "/no/such/file")]
    public async Task Wrong_use_ends_with_2_and_names_what_is_wrong(string named, params string[] arguments)
    {
        var ended = (await cli.RunAsync(arguments)).With(2);
        Assert.Contains(named, ended.Error, StringComparison.Ordinal);
        Assert.Empty(ended.Output);
    }

    [Fact]
    public async Task What_was_done_before_down_is_there_after_up()
    {
        var done = await cli.JsonAsync("submit", "probe.noop", "--wait", "--json");
        Assert.Equal("""{"down":true,"wiped":false}""", (await cli.OutputAsync("down", "--json")).Trim());
        Assert.Contains("./queuescale up", (await cli.RunAsync("jobs", "--json")).With(1).Error, StringComparison.Ordinal);

        var up = await cli.JsonAsync("up", "--detach", "--json");
        Assert.Equal(BothWorkers, Rows(up, "workers").Select(worker => Text(worker, "name")));
        Assert.Equal(done.ToString(), (await cli.JsonAsync("watch", Text(done, "id"), "--json")).ToString());
    }

    private static IEnumerable<JsonElement> Rows(JsonElement from, string member) => from.GetProperty(member).EnumerateArray();

    private static string Text(JsonElement of, string member) => of.GetProperty(member).GetString()!;
}
