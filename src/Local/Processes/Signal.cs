namespace QueueScale.Local;

/// <summary>The signals that matter here, with their numbers on Linux.</summary>
public enum Signal
{
    /// <summary>SIGINT: what Ctrl-C sends; PostgreSQL's fast shutdown.</summary>
    Interrupt = 2,

    /// <summary>SIGQUIT: PostgreSQL's immediate shutdown, which leaves the data to be recovered.</summary>
    Quit = 3,

    /// <summary>SIGKILL: ends it at once, nothing is saved.</summary>
    Kill = 9,

    /// <summary>SIGTERM: asks it to end.</summary>
    Terminate = 15,

    /// <summary>SIGCONT: goes on after <see cref="Stop"/>.</summary>
    Continue = 18,

    /// <summary>SIGSTOP: freezes it.</summary>
    Stop = 19,
}
