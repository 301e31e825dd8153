using System.CommandLine;
using QueueScale.Cli.Doctor;
using QueueScale.Local;

namespace QueueScale.Cli.Commands;

/// <summary><c>doctor</c>: what is wrong, and how to mend it.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var postgres = new Option<string?>("--postgres") { Description = "Npgsql connection string. Default: ConnectionStrings__Postgres, else what `up` started here.", HelpName = "CONNECTION" };
        var rabbitMq = new Option<string?>("--rabbitmq") { Description = "Address as amqp://user:password@host:port/vhost. Default: ConnectionStrings__RabbitMq, else what `up` started here.", HelpName = "ADDRESS" };
        var redis = new Option<string?>("--redis") { Description = "Connection string as host:port,password=… Default: ConnectionStrings__Redis, else what `up` started here.", HelpName = "CONNECTION" };
        var command = new Command("doctor", "Look at servers, versions, rights, queues, clocks, connections and grace periods: a line for each, with what to do where one is wrong. Exit code 1 then.") { postgres, rabbitMq, redis };
        command.SetAction(async (parsed, _) =>
        {
            var local = LocalServers.Of(RunFolder.OfCheckout);
            var settings = new Dictionary<string, string?>
            {
                ["ConnectionStrings__Postgres"] = parsed.GetValue(postgres) ?? Named("ConnectionStrings__Postgres") ?? (local.HasPostgres ? local.PostgresConnectionString() : null),
                ["ConnectionStrings__RabbitMq"] = parsed.GetValue(rabbitMq) ?? Named("ConnectionStrings__RabbitMq") ?? (local.HasRabbit ? local.RabbitMqUri() : null),
                ["ConnectionStrings__Redis"] = parsed.GetValue(redis) ?? Named("ConnectionStrings__Redis") ?? local.RedisConnectionString,
            };
            var servers = await CheckoutProgram.RunAsync(HostProcess.Api, ["doctor"], settings);
            var periods = GracePeriods.Of(Checkout.Root).ToArray();
            foreach (var period in periods) Console.Out.WriteLine(period);
            return servers != 0 ? servers : periods.All(period => period.IsEnough) ? 0 : 1;
        });
        return command;
    }

    private static string? Named(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;
}
