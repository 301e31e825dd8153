using System.Text.Json;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Reads what a schedule shall be and checks all of it at once; what is wrong is noted under its JSON pointer.</summary>
internal sealed class ScheduleReader(SubmissionReader submissions)
{
    private static readonly string[] Members = ["cron", "timeZone", "job", "paused"];

    /// <returns>What is to be stored, and when it ticks.</returns>
    public async Task<(NewSchedule Schedule, CronTimes Times)> ReadAsync(string name, JsonElement body, int tenant)
    {
        var invalid = new InvalidFields();
        if (!QueueName.IsValid(name))
        {
            invalid.Add("name", $"must be {QueueName.Rule}");
        }

        if (body.ValueKind != JsonValueKind.Object)
        {
            invalid.Add("", "must be an object");
            throw Refusal.InvalidSchedule(invalid);
        }

        foreach (var member in body.EnumerateObject().Where(member => !Members.Contains(member.Name)))
        {
            invalid.Add($"/{Pointer.Escape(member.Name)}", $"is unknown; a schedule has {string.Join(", ", Members)}");
        }

        var zone = ReadZone(body, invalid);
        var cron = ReadCron(body, zone, invalid);
        var paused = ReadPaused(body, invalid);
        var job = await ReadJobAsync(body, tenant, invalid);
        return invalid.Any
            ? throw Refusal.InvalidSchedule(invalid)
            : (new NewSchedule(name, cron!.Value.Text, zone!.Id, paused, job!), cron.Value.Times);
    }

    private static TimeZoneInfo? ReadZone(JsonElement body, InvalidFields invalid)
    {
        var zone = JsonBody.Find(body, "timeZone") is not { } given ? TimeZoneInfo.Utc : Storable.Text(given) is { } name ? ZoneName.Find(name) : null;
        if (zone is null)
        {
            invalid.Add("/timeZone", ZoneName.Rule);
        }

        return zone;
    }

    private static (string Text, CronTimes Times)? ReadCron(JsonElement body, TimeZoneInfo? zone, InvalidFields invalid)
    {
        if (JsonBody.Find(body, "cron") is not { } given)
        {
            invalid.Add("/cron", "is required");
            return null;
        }

        var wrong = "must be a text";
        if (Storable.Text(given) is { } text && CronTimes.Read(text, zone ?? TimeZoneInfo.Utc, out wrong) is { } times)
        {
            return (CronTimes.Tidy(text), times);
        }

        invalid.Add("/cron", wrong!);
        return null;
    }

    private static bool ReadPaused(JsonElement body, InvalidFields invalid)
    {
        switch (JsonBody.Find(body, "paused")?.ValueKind)
        {
            case null or JsonValueKind.False:
                return false;
            case JsonValueKind.True:
                return true;
            default:
                invalid.Add("/paused", "must be true or false");
                return false;
        }
    }

    private async Task<NewJob?> ReadJobAsync(JsonElement body, int tenant, InvalidFields invalid)
    {
        if (JsonBody.Find(body, "job") is not { } given)
        {
            invalid.Add("/job", "is required");
            return null;
        }

        if (given.ValueKind == JsonValueKind.Object)
        {
            foreach (var time in given.EnumerateObject().Where(member => member.Name is "runAt" or "delay"))
            {
                invalid.Add($"/job/{time.Name}", "is not for a schedule, whose ticks say when");
            }
        }

        return await submissions.ReadPartAsync("/job", given, tenant, invalid);
    }
}
