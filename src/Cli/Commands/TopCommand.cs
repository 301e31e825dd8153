using System.CommandLine;
using QueueScale.Cli.Terminal;
using QueueScale.Cli.Top;

namespace QueueScale.Cli.Commands;

/// <summary><c>top</c>: the whole system on a terminal, live.</summary>
internal static class TopCommand
{
    public static Command Create()
    {
        var once = new Option<bool>("--once") { Description = "Print it once, as plain text; so it is where the output is no terminal." };
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("top", "Show queues, workers and hand-overs, live. Ctrl-C or q ends it.") { once, json };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            var reader = new TopReader(client);
            var first = await reader.ReadAsync(stop);
            if (parsed.GetValue(json))
            {
                Print.Json(first);
            }
            else if (parsed.GetValue(once) || Console.IsOutputRedirected)
            {
                PrintOnce(first);
            }
            else
            {
                await TopScreen.ShowAsync(reader, first, stop);
            }

            return 0;
        });
        return command;
    }

    private static void PrintOnce(TopSnapshot now)
    {
        foreach (var table in TopTable.Of(now))
        {
            Console.Out.WriteLine(table.Title);
            if (table.Rows.Count == 0)
            {
                Console.Out.WriteLine(table.Empty);
            }
            else
            {
                Print.Table(table.Heading, table.Rows);
            }

            Console.Out.WriteLine();
        }
    }
}
