using QueueScale.Worker;

return await QueueScaleWorker.RunAsync(args, worker => worker.AddBuiltIn());
