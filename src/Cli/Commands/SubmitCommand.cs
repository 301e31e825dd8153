using System.CommandLine;
using System.Text.Json;
using QueueScale.Cli.Jobs;
using QueueScale.Cli.Terminal;
using QueueScale.Contracts;

namespace QueueScale.Cli.Commands;

/// <summary><c>submit</c>: hands a job in.</summary>
internal static class SubmitCommand
{
    public static Command Create()
    {
        var type = new Argument<string>("TYPE") { Description = "The job type, such as csv.import." };
        var input = new Option<string?>("--input") { Description = "The job's input: JSON, @FILE to read it from a file, or - for standard input. Default: {}.", HelpName = "JSON|@FILE|-" };
        var queue = new Option<string?>("--queue") { Description = "Another queue than the type's own.", HelpName = "NAME" };
        var priority = new Option<JobPriority?>("--priority") { Description = "Which jobs of its queue it goes before. Default: normal.", HelpName = "normal|high" };
        var delay = new Option<string?>("--delay") { Description = "Not before this long from now, such as PT90S.", HelpName = "DURATION" };
        var maxAttempts = new Option<int?>("--max-attempts") { Description = "Attempts that may fail.", HelpName = "N" };
        var timeout = new Option<string?>("--timeout") { Description = "The longest that one attempt may run, such as PT10M.", HelpName = "DURATION" };
        var uniqueKey = new Option<string?>("--unique-key") { Description = "At most one unfinished job has this key: while there is one, that one is the answer.", HelpName = "KEY" };
        var tags = new Option<string[]>("--tag") { Description = "A word to find the job by; may be repeated.", HelpName = "TAG" };
        var wait = new Option<bool>("--wait") { Description = "Follow the job to its end; exit code 1 when it does not succeed." };
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("submit", "Submit a job.") { type, input, queue, priority, delay, maxAttempts, timeout, uniqueKey, tags, wait, json };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            var submission = new SubmitJob
            {
                Type = parsed.GetRequiredValue(type),
                Input = await ReadInputAsync(parsed.GetValue(input), stop),
                Queue = parsed.GetValue(queue),
                Priority = parsed.GetValue(priority),
                Delay = parsed.GetValue(delay),
                MaxAttempts = parsed.GetValue(maxAttempts),
                Timeout = parsed.GetValue(timeout),
                UniqueKey = parsed.GetValue(uniqueKey),
                Tags = parsed.GetValue(tags) is { Length: > 0 } given ? given : null,
            };
            using var client = target.Connect(parsed);
            var job = await client.SubmitAsync(submission, stop);
            if (parsed.GetValue(wait)) return await WatchCommand.FollowAsync(client, job.Id, parsed.GetValue(json), stop);

            if (parsed.GetValue(json)) Print.Json(job);
            else Console.Out.WriteLine($"{job.Id} is {Print.Word(job.State)} in {job.Queue}. Follow it: ./queuescale watch {job.Id}");
            return 0;
        });
        return command;
    }

    private static async Task<JsonElement?> ReadInputAsync(string? given, CancellationToken stop)
    {
        if (given is null) return null;
        var (text, source) = given switch
        {
            "-" => (await Console.In.ReadToEndAsync(stop), "standard input"),
            ['@', .. var path] => (await ReadFileAsync(path, stop), path),
            _ => (given, "--input"),
        };
        try
        {
            return JsonElement.Parse(text);
        }
        catch (JsonException error)
        {
            throw new UsageProblem($"What {source} holds is not JSON: {error.Message} Quote it for the shell, for example: --input '{{\"seconds\": 5}}'");
        }
    }

    private static async Task<string> ReadFileAsync(string path, CancellationToken stop)
    {
        try
        {
            return await File.ReadAllTextAsync(path, stop);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UsageProblem($"Cannot read the input: {error.Message}");
        }
    }
}
