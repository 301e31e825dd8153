using FsCheck;
using FsCheck.Fluent;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

/// <summary>Whatever order the steps come in, also those of late and frozen workers: no job makes a move that the table of moves does not have, final states
/// stay final, and the counts are those of the rows.</summary>
public sealed class MovesPropertyTests(Stage stage) : IClassFixture<Stage>, IAsyncLifetime
{
    private const int Jobs = 4;

    public async ValueTask InitializeAsync() => await stage.ExecuteAsync(
        """
        create table moves (job uuid, was smallint, now smallint, was_epoch int, epoch int, was_seq int, seq int);
        create function note_move() returns trigger language plpgsql as $$
        begin
          insert into moves values (new.id, old.state, new.state, old.epoch, new.epoch, old.checkpoint_seq, new.checkpoint_seq);
          return null;
        end $$;
        create trigger note_move after update on jobs for each row execute function note_move();
        """);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task No_order_of_steps_makes_an_illegal_move()
    {
        await using var steps = new Steps(stage);
        var orders = Gen.Choose(0, 11).SelectMany(step => Gen.Choose(0, Jobs - 1).SelectMany(job => Gen.Choose(0, 3).Select(epochsBack => (step, job, epochsBack)))).ArrayOf().ToArbitrary();
        Prop.ForAll(orders, order => RunAsync(steps, order).GetAwaiter().GetResult()).Check(Config.QuickThrowOnFailure.WithMaxTest(150).WithEndSize(60));

        foreach (var (was, now, epochStep, seqStep) in (await stage.QueryAsync<int[]>("select distinct array[was, now, epoch - was_epoch, seq - was_seq] from moves")).Select(m => ((JobState)m[0], (JobState)m[1], m[2], m[3])))
        {
            Assert.True(was == now || JobMoves.Allows(was, now), $"a job moved from {was} to {now}");
            Assert.True(!was.IsFinal(), $"a final job ({was}) was written");
            Assert.Equal(now == JobState.Running && was != JobState.Running ? 1 : 0, epochStep);
            Assert.True(seqStep >= 0, "a checkpoint went back");
        }
    }

    private async Task<bool> RunAsync(Steps steps, (int Step, int Job, int EpochsBack)[] order)
    {
        var queue = Servers.NewName();
        using var worker = steps.RegisterWorker();
        var jobs = await steps.SubmitAsync(Jobs, queue, maxAttempts: 2);
        foreach (var (step, index, epochsBack) in order)
        {
            var id = jobs[index];
            var epoch = Math.Max(0, await stage.ScalarAsync<int>("select epoch from jobs where id = $1", id) - epochsBack / 3); // mostly the present run, sometimes a late one
            var dispatch = await stage.ScalarAsync<int>("select dispatch from jobs where id = $1", id);
            switch (step)
            {
                case 0 or 1 or 2:
                    await steps.Claims.ClaimAsync(worker.Worker, [new ReadyJob(id, dispatch - epochsBack / 3)], suspects: step == 2, default);
                    break;
                case 3:
                    await steps.Completions.CompleteAsync(id, epoch, "1", null);
                    break;
                case 4:
                    await steps.Failures.FailAsync(id, epoch, (Verdict)(epochsBack % 3), RunEnding.Failed, """{"code":"x","message":"y"}""", TimeSpan.Zero);
                    break;
                case 5:
                    await steps.PutBacks.PutBackAsync(new Unfinished(id, epoch, RunEnding.Interrupted, epochsBack % 2 == 0, TimeSpan.Zero));
                    break;
                case 6:
                    await steps.Cancellations.CancelAsync(id, 1, default);
                    break;
                case 7:
                    await steps.Due.QueueAsync(default);
                    break;
                case 8:
                    await steps.Checkpoints.SaveAsync(id, epoch, 1 + await stage.ScalarAsync<int>("select checkpoint_seq from jobs where id = $1", id) - epochsBack / 3, "1", null, default);
                    break;
                case 9:
                    await stage.ExecuteAsync($"update workers w set dead_at = clock_timestamp(), blame = coalesce((select max(suspect) from jobs j where j.worker = w.id and j.state = 2), 0) where id = '{worker.Worker}'");
                    await steps.Deaths.SweepAsync(default);
                    await stage.ExecuteAsync($"update workers set dead_at = null where id = '{worker.Worker}'");
                    break;
                case 10:
                    await steps.PutBacks.GiveBackAsync([new ReadyJob(id, dispatch)], await stage.ScalarAsync<short>("select lane from jobs where id = $1", id), default);
                    break;
                case 11:
                    await steps.Claims.DeferAsync(new ReadyJob(id, dispatch), TimeSpan.FromSeconds(1), default);
                    break;
            }
        }

        var counted = await steps.Fleet.QueueAsync(queue, default);
        var rows = (await stage.QueryAsync<long[]>("select array[count(*) filter (where state = 1), count(*) filter (where state = 2), count(*) filter (where state in (0, 3))] from jobs where queue = $1", queue))[0];
        Assert.Equal((rows[0], rows[1], rows[2]), (counted.Ready, counted.Running, counted.Waiting));
        foreach (var lane in new short[] { 0, 1 })
        {
            Assert.Equal(
                await stage.ScalarAsync<long>("select count(*) from jobs where queue = $1 and lane = $2 and state = 1", queue, lane),
                await stage.ScalarAsync<long>("""select coalesce(sum(entered - "left"), 0)::bigint from queue_counts where queue = $1 and lane = $2""", queue, lane));
        }

        return true;
    }
}
