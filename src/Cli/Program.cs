using System.CommandLine;
using QueueScale.Cli;
using QueueScale.Cli.Commands;

if (!OperatingSystem.IsLinux()) return CommandLine.Refuse("queuescale needs Linux. On macOS or Windows use a Linux container, a virtual machine or WSL.");

return await CommandLine.RunAsync(
    new RootCommand("QueueScale: long and bursty jobs over HTTP, run by workers that hand over instead of losing work.")
    {
        DemoCommand.Create(),
        UpCommand.Create(),
        DownCommand.Create(),
        InitEnvCommand.Create(),
        UpdateCommand.Create(),
        KeysCommand.Create(),
        MigrateCommand.Create(),
        DoctorCommand.Create(),
        SubmitCommand.Create(),
        WatchCommand.Create(),
        JobsCommand.Create(),
        CancelCommand.Create(),
        RetryCommand.Create(),
        QueuesCommand.Create(),
        WorkersCommand.Create(),
        TopCommand.Create(),
        SimulateCommand.Create(),
        TestCommand.Create(),
        BenchCommand.Create(),
        FaultsCommand.Create(),
    },
    args);
