using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using QueueScale.Api;
using QueueScale.Store;
using QueueScale.TestApi;

// The API with parts taken out or replaced, so that a test can see what each of them is for. TEST_API_SEAMS names them.
var seams = (Environment.GetEnvironmentVariable("TEST_API_SEAMS") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries);
return await QueueScaleApi.RunAsync(args, services =>
{
    foreach (var seam in seams)
    {
        switch (seam)
        {
            case "no ReconcileDuty" or "no DeadWorkerDuty" or "no FeedDuty" or "no DueJobsDuty":
                services.Remove(services.Single(s => s.ServiceType == typeof(IHostedService) && s.ImplementationType?.Name == seam[3..]));
                break;
            case "die between commit and send":
                services.AddSingleton(provider => new Submissions(provider.GetRequiredService<Database>(), _ => Process.GetCurrentProcess().Kill(), TimeSpan.FromSeconds(2)));
                break;
            case "never send":
                services.AddSingleton(provider => new Submissions(provider.GetRequiredService<Database>(), _ => { }, TimeSpan.FromSeconds(2)));
                break;
            case "send before the commit":
                services.AddSingleton<Submissions, EarlySubmissions>();
                break;
            case "show without telling Redis":
                services.AddSingleton<SharedViews, UntoldViews>();
                break;
            case "hold the connections while told to":
                services.AddHostedService<HeldConnections>();
                break;
            default:
                throw new ArgumentException($"TEST_API_SEAMS names '{seam}', which this program does not know.");
        }
    }
});
