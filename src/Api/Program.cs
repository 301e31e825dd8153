return await QueueScale.Api.QueueScaleApi.RunAsync(args);
