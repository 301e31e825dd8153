namespace QueueScale.Local;

/// <summary>A running system, as <c>up --json</c> prints it.</summary>
/// <param name="Api">The address of the API.</param>
/// <param name="Key">The key of its first tenant, with all rights.</param>
/// <param name="Workers">The worker processes.</param>
/// <param name="Apis">The API processes.</param>
/// <param name="DataRoot">The folder that <c>file:</c> sources are relative to.</param>
/// <param name="Postgres">An Npgsql connection string.</param>
/// <param name="Rabbitmq">An AMQP address.</param>
public sealed record SystemInfo(
    string Api, string Key, IReadOnlyList<WorkerProcessInfo> Workers, IReadOnlyList<ApiProcessInfo> Apis, string DataRoot, string Postgres, string Rabbitmq);

/// <summary>A worker process.</summary>
public sealed record WorkerProcessInfo(string Name, int Pid, string Url);

/// <summary>An API process.</summary>
public sealed record ApiProcessInfo(int Pid, string Url);
