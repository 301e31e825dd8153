using Microsoft.Extensions.DependencyInjection;
using OwnWorker;
using QueueScale.Worker;

return await QueueScaleWorker.RunAsync(args, worker =>
{
    worker.Services.AddSingleton(new TextFolder(worker.Configuration["Texts:Root"] ?? "texts"));
    worker.Add<CountWords>().Add<IndexWords>();
});
