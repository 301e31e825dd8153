namespace QueueScale.Local;

/// <summary>Where the servers of a run folder run.</summary>
public enum ServerPlace
{
    /// <summary>As installed programs if there are some, else in containers if Docker answers, else as programs that are installed first.</summary>
    Auto,

    /// <summary>As programs, installed first where that is needed and allowed.</summary>
    Local,

    /// <summary>In containers: those of docker-compose.yml.</summary>
    Docker,
}
