using Quartz;

namespace QueueScale.Api;

/// <summary>When a cron expression of five fields ticks in a time zone. Times in and out are UTC.</summary>
/// <remarks>
/// Quartz reckons with the times that clocks show, without a time zone; what they mean where clocks are put forward or back is said here. An expression that names hours ticks
/// once at each of its times: one that clocks skip comes at the first moment after the gap, one that they show twice the first time. An expression for every hour goes by the time that
/// passes, and so pauses nowhere. Quartz takes only one of the two fields for days, so it is asked for both.
/// </remarks>
internal sealed class CronTimes
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    /// <summary>An expression that does not tick after this does not tick.</summary>
    private static readonly DateTime Past = new(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private readonly TimeZoneInfo zone;
    private readonly CronExpression byDay;
    private readonly CronExpression byWeekday;
    private readonly bool eitherDay;
    private readonly bool everyHour;

    private CronTimes(TimeZoneInfo zone, CronExpression byDay, CronExpression byWeekday, bool eitherDay, bool everyHour) =>
        (this.zone, this.byDay, this.byWeekday, this.eitherDay, this.everyHour) = (zone, byDay, byWeekday, eitherDay, everyHour);

    /// <param name="cron">Minute, hour, day of the month, month and day of the week.</param>
    /// <param name="zone">Where the clocks are.</param>
    /// <param name="wrong">What is wrong with the expression, for a refusal.</param>
    /// <returns>Null where the text is no expression, or one that never ticks.</returns>
    public static CronTimes? Read(string cron, TimeZoneInfo zone, out string? wrong)
    {
        var texts = Fields(cron);
        if (texts.Length != 5)
        {
            wrong = "must be five fields: minute, hour, day of the month, month and day of the week, such as 30 2 * * mon-fri";
            return null;
        }

        CronField[] fields = [CronField.Minute, CronField.Hour, CronField.Day, CronField.Month, CronField.Weekday];
        var values = fields.Zip(texts, (field, text) => field.Read(text)).ToArray();
        if (Array.IndexOf(values, null) is >= 0 and var bad)
        {
            wrong = $"has '{texts[bad]}' for the {fields[bad].Called}, which {fields[bad].Rule}";
            return null;
        }

        var (time, days, months, weekdays) = ($"0 {List(values[0]!)} {List(values[1]!)}", List(values[2]!), List(values[3]!), List(values[4]!.Select(day => day % 7 + 1)));
        var times = new CronTimes(zone, Expression($"{time} {days} {months} ?"), Expression($"{time} ? {months} {weekdays}"), !texts[2].StartsWith('*') && !texts[4].StartsWith('*'), values[1]!.Count == 24);
        wrong = times.Next(Past) is null ? "names a day that never comes" : null;
        return wrong is null ? times : null;
    }

    /// <summary>The expression with one space between its fields.</summary>
    public static string Tidy(string cron) => string.Join(' ', Fields(cron));

    /// <summary>The first tick after a moment; null where none comes any more.</summary>
    public DateTime? Next(DateTime after) => everyHour ? Earlier(Next(after, second: false), Next(after, second: true)) : Next(after, second: false);

    /// <summary>The last tick until a moment.</summary>
    /// <param name="first">A tick that is not later than that.</param>
    /// <param name="until">The moment.</param>
    public DateTime Latest(DateTime first, DateTime until)
    {
        var latest = first;
        for (var back = Minute; until - back > first; back *= 2) // not tick by tick: there may be millions
        {
            if (Next(until - back) is { } found && found <= until)
            {
                latest = found;
                break;
            }
        }

        while (Next(latest) is { } next && next <= until)
        {
            latest = next;
        }

        return latest;
    }

    /// <param name="after">The moment before.</param>
    /// <param name="second">Which of the two moments a time means that clocks show twice.</param>
    private DateTime? Next(DateTime after, bool second)
    {
        var shown = TimeZoneInfo.ConvertTimeFromUtc(after, zone);
        DateTime? wall = zone.IsAmbiguousTime(shown) ? after + zone.GetAmbiguousTimeOffsets(shown).Min() : shown; // what clocks show once more must not be passed over
        while ((wall = NextShown(DateTime.SpecifyKind(wall.Value, DateTimeKind.Unspecified))) is { } next)
        {
            if (Moment(next, second) is { } tick && tick > after)
            {
                return tick;
            }
        }

        return null;
    }

    /// <summary>When clocks show a time. Null where they skip it and it is left out.</summary>
    private DateTime? Moment(DateTime shown, bool second)
    {
        if (zone.IsInvalidTime(shown) && everyHour)
        {
            return null;
        }

        while (zone.IsInvalidTime(shown))
        {
            shown += Minute;
        }

        var offset = !zone.IsAmbiguousTime(shown) ? zone.GetUtcOffset(shown) : second ? zone.GetAmbiguousTimeOffsets(shown).Min() : zone.GetAmbiguousTimeOffsets(shown).Max();
        return DateTime.SpecifyKind(shown - offset, DateTimeKind.Utc);
    }

    /// <summary>As in crontab: where both days are named either is enough, where one of them begins with a star both must fit.</summary>
    private DateTime? NextShown(DateTime after)
    {
        var (day, weekday) = (Ask(byDay, after), Ask(byWeekday, after));
        if (eitherDay)
        {
            return Earlier(day, weekday);
        }

        while (day is { } one && weekday is { } other && one.Date != other.Date)
        {
            (day, weekday) = one < other ? (Ask(byDay, other.Date.AddSeconds(-1)), weekday) : (day, Ask(byWeekday, one.Date.AddSeconds(-1)));
        }

        return weekday is null ? null : day;
    }

    private static DateTime? Ask(CronExpression expression, DateTime after) => expression.GetNextValidTimeAfter(new DateTimeOffset(after, TimeSpan.Zero))?.DateTime;

    private static DateTime? Earlier(DateTime? one, DateTime? other) => one is null || other < one ? other : one;

    private static CronExpression Expression(string fields) => new(fields, TimeZoneInfo.Utc);

    private static string List(IEnumerable<int> values) => string.Join(',', values);

    private static string[] Fields(string cron) => cron.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
}
