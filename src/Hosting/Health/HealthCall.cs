using Microsoft.Extensions.Configuration;

namespace QueueScale.Hosting;

/// <summary>Asks the process of the same settings on this machine whether it is ready: what a container's health check runs, so that its image needs no shell.</summary>
public static class HealthCall
{
    /// <summary>The argument that asks for it.</summary>
    public const string Argument = "--check-health";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(4);

    /// <returns>The exit code: 0 when it is ready; else 1, with the answer on standard error.</returns>
    public static async Task<int> RunAsync()
    {
        var settings = new ConfigurationBuilder().AddEnvironmentVariables("DOTNET_").AddEnvironmentVariables("ASPNETCORE_").Build();
        if (Address(settings) is not { } address)
        {
            await Console.Error.WriteLineAsync($"{Argument} asks over plain HTTP, and ASPNETCORE_URLS names no such address. Add one, such as 'http://127.0.0.1:8080'.");
            return 1;
        }

        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Limit };
        try
        {
            using var answer = await http.GetAsync(new Uri(address, "health/ready"));
            if (answer.IsSuccessStatusCode)
            {
                return 0;
            }

            await Console.Error.WriteLineAsync($"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"{address}health/ready does not answer: {error.Message}");
        }

        return 1;
    }

    /// <summary>Where the process listens, as ASP.NET Core reads it: addresses, else ports, else port 5000.</summary>
    private static Uri? Address(IConfiguration settings) => OwnAddress.Of(
        settings["URLS"] is { Length: > 0 } addresses ? Parts(addresses) : Parts(settings["HTTP_PORTS"] ?? "5000").Select(port => $"http://127.0.0.1:{port}"));

    private static string[] Parts(string list) => list.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
