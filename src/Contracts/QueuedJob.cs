namespace QueueScale.Contracts;

/// <summary>A job that a statement has just queued, and where its wake-up goes.</summary>
/// <param name="Id">The job.</param>
/// <param name="Dispatch">The number of the wake-up to send.</param>
/// <param name="Type">Its job type, which says how many jobs a wake-up carries.</param>
/// <param name="Queue">Its queue.</param>
/// <param name="Lane">Its lane.</param>
/// <param name="Turn">The lane's turn.</param>
/// <param name="At">When it was queued, by the database's clock.</param>
/// <param name="Send">False when the lane is closed: the job is parked, and the feeder sends its wake-up in order.</param>
public readonly record struct QueuedJob(Guid Id, int Dispatch, string Type, string Queue, short Lane, int Turn, DateTime At, bool Send);
