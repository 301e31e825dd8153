namespace QueueScale.Faults.Checker;

/// <summary>The suite's own witness inside PostgreSQL.</summary>
public static class HistoryTrigger
{
    /// <summary>Makes the table <c>job_history</c> and the triggers on <c>jobs</c> that fill it.</summary>
    /// <remarks>A checkpoint that only rises and a progress write leave no row: they are the most frequent writes, and the next row shows where the
    /// number has got to. Whatever is written to a final row is noted.</remarks>
    public const string Sql = """
        create table job_history (
          seq bigint generated always as identity primary key,
          transaction bigint not null default pg_current_xact_id()::text::bigint,
          at timestamptz not null default clock_timestamp(),
          job uuid not null,
          old_state smallint,
          state smallint not null,
          old_epoch int,
          epoch int not null,
          attempts smallint not null,
          interruptions int not null,
          crashes smallint not null,
          old_checkpoint_seq int,
          checkpoint_seq int not null,
          cancel_requested bool not null,
          run_at timestamptz
        );

        create function note_job_history() returns trigger language plpgsql as $$
        begin
          insert into job_history (job, old_state, state, old_epoch, epoch, attempts, interruptions, crashes, old_checkpoint_seq, checkpoint_seq, cancel_requested, run_at)
          values (new.id, old.state, new.state, old.epoch, new.epoch, new.attempts, new.interruptions, new.crashes, old.checkpoint_seq, new.checkpoint_seq,
            new.cancel_requested, new.run_at);
          return null;
        end $$;

        create trigger note_new_job after insert on jobs for each row execute function note_job_history();

        create trigger note_moved_job after update on jobs for each row
          when (old.state <> new.state or old.epoch <> new.epoch or old.cancel_requested <> new.cancel_requested or new.checkpoint_seq < old.checkpoint_seq or old.state >= 5)
          execute function note_job_history();
        """;
}
