using System.Globalization;
using QueueScale.Api;

namespace QueueScale.Tests;

/// <summary>When cron expressions tick, against times reckoned by hand. 2026 begins on a Thursday.</summary>
public sealed class CronTests
{
    [Theory]
    [InlineData("* * * * *", "2026-01-01T00:00:00", "2026-01-01T00:01", "2026-01-01T00:02")]
    [InlineData("* * * * *", "2026-01-01T00:00:59.999", "2026-01-01T00:01")]
    [InlineData("* * * * *", "2026-12-31T23:59:30", "2027-01-01T00:00")]
    [InlineData("*/15 * * * *", "2026-01-01T00:01:00", "2026-01-01T00:15", "2026-01-01T00:30", "2026-01-01T00:45", "2026-01-01T01:00")]
    [InlineData("5-20/5 * * * *", "2026-01-01T00:00:00", "2026-01-01T00:05", "2026-01-01T00:10", "2026-01-01T00:15", "2026-01-01T00:20", "2026-01-01T01:05")]
    [InlineData("7-59/20 * * * *", "2026-01-01T00:00:00", "2026-01-01T00:07", "2026-01-01T00:27", "2026-01-01T00:47", "2026-01-01T01:07")]
    [InlineData("0,0,30 * * * *", "2026-01-01T00:00:00", "2026-01-01T00:30", "2026-01-01T01:00")]
    [InlineData("0-2 0 1 1 *", "2026-01-01T00:00:00", "2026-01-01T00:01", "2026-01-01T00:02", "2027-01-01T00:00")]
    [InlineData("05 08 * * *", "2026-01-01T00:00:00", "2026-01-01T08:05", "2026-01-02T08:05")]
    [InlineData("30 6,18 * * *", "2026-01-01T06:30:00", "2026-01-01T18:30", "2026-01-02T06:30")]
    [InlineData("0 */7 * * *", "2026-01-01T00:00:00", "2026-01-01T07:00", "2026-01-01T14:00", "2026-01-01T21:00", "2026-01-02T00:00")]
    [InlineData("0 22-23,0-1 * * *", "2026-01-01T00:00:00", "2026-01-01T01:00", "2026-01-01T22:00", "2026-01-01T23:00", "2026-01-02T00:00")]
    [InlineData(" 0\t0  * *   * ", "2026-01-01T00:00:00", "2026-01-02T00:00")]
    [InlineData("59 23 31 12 *", "2026-12-31T23:59:00", "2027-12-31T23:59")]
    [InlineData("0 0 15 * *", "2026-01-01T00:00:00", "2026-01-15T00:00", "2026-02-15T00:00")]
    [InlineData("0 0 31 * *", "2026-01-31T00:00:00", "2026-03-31T00:00", "2026-05-31T00:00", "2026-07-31T00:00", "2026-08-31T00:00")]
    [InlineData("0 0 30 4,6,9,11 *", "2026-01-01T00:00:00", "2026-04-30T00:00", "2026-06-30T00:00", "2026-09-30T00:00", "2026-11-30T00:00", "2027-04-30T00:00")]
    [InlineData("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00", "2032-02-29T00:00")]
    [InlineData("0 0 1 jan,JUL *", "2026-01-01T00:00:00", "2026-07-01T00:00", "2027-01-01T00:00")]
    [InlineData("0 0 1 */3 *", "2026-01-01T00:00:00", "2026-04-01T00:00", "2026-07-01T00:00", "2026-10-01T00:00", "2027-01-01T00:00")]
    [InlineData("0 0 1 2-12/5 *", "2026-01-01T00:00:00", "2026-02-01T00:00", "2026-07-01T00:00", "2026-12-01T00:00")]
    [InlineData("0 0 1 nov-dec *", "2026-01-01T00:00:00", "2026-11-01T00:00", "2026-12-01T00:00", "2027-11-01T00:00")]
    [InlineData("0 12 * * 0", "2026-01-01T00:00:00", "2026-01-04T12:00", "2026-01-11T12:00")] // 0 and 7 are Sunday
    [InlineData("0 12 * * 7", "2026-01-01T00:00:00", "2026-01-04T12:00", "2026-01-11T12:00")]
    [InlineData("0 12 * * Sun", "2026-01-01T00:00:00", "2026-01-04T12:00", "2026-01-11T12:00")]
    [InlineData("0 12 * * 0,7", "2026-01-01T00:00:00", "2026-01-04T12:00", "2026-01-11T12:00")]
    [InlineData("0 12 * * 1", "2026-01-01T00:00:00", "2026-01-05T12:00", "2026-01-12T12:00")]
    [InlineData("0 12 * * sat", "2026-01-01T00:00:00", "2026-01-03T12:00", "2026-01-10T12:00")]
    [InlineData("0 9 * * mon-fri", "2026-01-02T09:00:00", "2026-01-05T09:00", "2026-01-06T09:00")]
    [InlineData("0 9 * * 1-5", "2026-01-01T10:00:00", "2026-01-02T09:00", "2026-01-05T09:00")]
    [InlineData("0 0 * * fri-sun", "2026-01-01T00:00:00", "2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00", "2026-01-09T00:00")]
    [InlineData("0 0 * * 5-7", "2026-01-01T00:00:00", "2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00", "2026-01-09T00:00")]
    [InlineData("0 0 * * 6,0", "2026-01-01T00:00:00", "2026-01-03T00:00", "2026-01-04T00:00", "2026-01-10T00:00")]
    [InlineData("0 0 * * */2", "2026-01-01T00:00:00", "2026-01-03T00:00", "2026-01-04T00:00", "2026-01-06T00:00", "2026-01-08T00:00")]
    [InlineData("0 0 * feb mon", "2026-01-01T00:00:00", "2026-02-02T00:00", "2026-02-09T00:00", "2026-02-16T00:00", "2026-02-23T00:00", "2027-02-01T00:00")]
    [InlineData("0 0 1 * mon", "2026-01-01T00:00:00", "2026-01-05T00:00", "2026-01-12T00:00", "2026-01-19T00:00", "2026-01-26T00:00", "2026-02-01T00:00", "2026-02-02T00:00")] // either day
    [InlineData("0 0 13 * 5", "2026-01-31T00:00:00", "2026-02-06T00:00", "2026-02-13T00:00", "2026-02-20T00:00")] // a Friday the 13th comes once
    [InlineData("0 0 29 2 mon", "2026-02-24T00:00:00", "2027-02-01T00:00")]
    [InlineData("0 6,12 1,15 * 3", "2026-01-14T06:00:00", "2026-01-14T12:00", "2026-01-15T06:00", "2026-01-15T12:00", "2026-01-21T06:00")]
    [InlineData("0 0 */2 * mon", "2026-01-01T00:00:00", "2026-01-05T00:00", "2026-01-19T00:00", "2026-02-09T00:00", "2026-02-23T00:00")] // a star, also with a step, means both
    [InlineData("0 0 1-7 * */7", "2026-01-01T00:00:00", "2026-01-04T00:00", "2026-02-01T00:00", "2026-03-01T00:00", "2026-04-05T00:00")] // so this is the first Sunday
    [InlineData("0 0 29 2 */7", "2026-01-01T00:00:00", "2032-02-29T00:00", "2060-02-29T00:00")]
    public void Ticks_come_as_in_crontab(string cron, string after, params string[] ticks) => Assert.Equal(ticks, Ticks(cron, "UTC", after, ticks.Length));

    [Theory]
    [InlineData("30 2 * * *", "2026-03-28T12:00:00", "2026-03-29T01:00", "2026-03-30T00:30")] // 02:30 is skipped: 03:00
    [InlineData("0 3 * * *", "2026-03-28T12:00:00", "2026-03-29T01:00", "2026-03-30T01:00")]
    [InlineData("0,30 2,3 * * *", "2026-03-28T12:00:00", "2026-03-29T01:00", "2026-03-29T01:30", "2026-03-30T00:00")] // 02:00, 02:30 and 03:00 are one moment, and one tick
    [InlineData("30 * * * *", "2026-03-29T00:00:00", "2026-03-29T00:30", "2026-03-29T01:30", "2026-03-29T02:30")]
    [InlineData("59 1 * * *", "2026-03-28T12:00:00", "2026-03-29T00:59", "2026-03-29T23:59")]
    public void In_an_hour_that_clocks_skip_a_tick_comes_once_at_the_end_of_the_gap(string cron, string after, params string[] ticks) => Assert.Equal(ticks, Ticks(cron, "Europe/Berlin", after, ticks.Length));

    [Theory]
    [InlineData("30 2 * * *", "2026-10-24T12:00:00", "2026-10-25T00:30", "2026-10-26T01:30")]
    [InlineData("30 2 * * *", "2026-10-25T01:10:00", "2026-10-26T01:30")] // it has come already
    [InlineData("30 1-3 * * *", "2026-10-24T12:00:00", "2026-10-24T23:30", "2026-10-25T00:30", "2026-10-25T02:30")]
    [InlineData("*/30 2 * * *", "2026-10-24T12:00:00", "2026-10-25T00:00", "2026-10-25T00:30", "2026-10-26T01:00")]
    [InlineData("30 2 25 10 *", "2026-10-24T12:00:00", "2026-10-25T00:30", "2027-10-25T00:30")]
    public void In_an_hour_that_clocks_show_twice_a_tick_comes_once_the_first_time(string cron, string after, params string[] ticks) => Assert.Equal(ticks, Ticks(cron, "Europe/Berlin", after, ticks.Length));

    [Theory]
    [InlineData("30 * * * *", "2026-10-24T23:00:00", "2026-10-24T23:30", "2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30")]
    [InlineData("*/20 * * * *", "2026-10-25T00:30:00", "2026-10-25T00:40", "2026-10-25T01:00", "2026-10-25T01:20", "2026-10-25T01:40", "2026-10-25T02:00", "2026-10-25T02:20")]
    [InlineData("*/20 0-23 * * *", "2026-10-25T00:30:00", "2026-10-25T00:40", "2026-10-25T01:00")]
    public void What_comes_every_hour_comes_every_hour(string cron, string after, params string[] ticks) => Assert.Equal(ticks, Ticks(cron, "Europe/Berlin", after, ticks.Length));

    [Theory]
    [InlineData("0 0 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00", "2026-01-01T18:15")] // 5:45 ahead
    [InlineData("0 9 * * *", "America/New_York", "2026-07-01T00:00:00", "2026-07-01T13:00")]
    [InlineData("0 9 * * *", "America/New_York", "2026-12-01T00:00:00", "2026-12-01T14:00")]
    [InlineData("0 0 1 * *", "Pacific/Kiritimati", "2026-01-30T12:00:00", "2026-01-31T10:00")] // 14:00 ahead
    [InlineData("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00", "2026-09-06T04:00", "2026-09-07T03:00")] // midnight is skipped
    [InlineData("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00", "2026-10-03T15:30", "2026-10-04T15:15")] // half an hour is skipped
    public void Hours_and_days_are_those_of_the_time_zone(string cron, string zone, string after, params string[] ticks) => Assert.Equal(ticks, Ticks(cron, zone, after, ticks.Length));

    [Theory]
    [InlineData("Europe/Berlin", "2026-10-24T22:00", 25 * 60)]
    [InlineData("Europe/Berlin", "2026-03-28T23:00", 23 * 60)]
    [InlineData("Australia/Lord_Howe", "2026-04-04T13:00", (24 * 60) + 30)]
    public void A_day_on_which_clocks_change_has_a_tick_for_each_of_its_minutes(string zone, string midnight, int minutes)
    {
        var ticks = Ticks("* * * * *", zone, midnight, minutes);
        Assert.Equal(Enumerable.Range(1, minutes).Select(minute => Text(Time(midnight).AddMinutes(minute))), ticks);
        Assert.Equal(TimeSpan.Zero, TimeZoneInfo.ConvertTimeFromUtc(Time(ticks[^1]), ZoneName.Find(zone)!).TimeOfDay);
    }

    [Theory]
    [InlineData("* * * * *")]
    [InlineData("*/7 3 * * *")]
    [InlineData("0 3 * * mon")]
    [InlineData("* * 1 3 *")]
    [InlineData("0 0 1 * *")]
    [InlineData("30 2 25 10 *")]
    public void The_latest_of_missed_ticks_is_found_without_going_through_all_of_them(string cron)
    {
        var times = Read(cron, "Europe/Berlin")!;
        var first = times.Next(Time("2025-10-20T00:00"))!.Value;
        foreach (var until in new[] { first, first.AddSeconds(30), first.AddMinutes(1), first.AddMinutes(61), first.AddHours(25), first.AddDays(8.3), first.AddDays(45) })
        {
            var latest = first;
            while (times.Next(latest) is { } next && next <= until)
            {
                latest = next;
            }

            Assert.Equal(latest, times.Latest(first, until));
        }
    }

    [Theory]
    [InlineData("", "must be five fields")]
    [InlineData("* * * *", "must be five fields")]
    [InlineData("0 * * * * *", "must be five fields")]
    [InlineData("1 2 3 4 5 2026", "must be five fields")]
    [InlineData("@daily", "must be five fields")]
    [InlineData("60 * * * *", "minute")]
    [InlineData("-1 * * * *", "minute")]
    [InlineData("1.5 * * * *", "minute")]
    [InlineData("*/0 * * * *", "minute")]
    [InlineData("*/60 * * * *", "minute")]
    [InlineData("5/10 * * * *", "minute")]
    [InlineData("9-5 * * * *", "minute")]
    [InlineData("1,,2 * * * *", "minute")]
    [InlineData("1- * * * *", "minute")]
    [InlineData("*-5 * * * *", "minute")]
    [InlineData("** * * * *", "minute")]
    [InlineData("? * * * *", "minute")]
    [InlineData("99999999999 * * * *", "minute")]
    [InlineData("\u0661 * * * *", "minute")]
    [InlineData("mon * * * *", "minute")]
    [InlineData("* 24 * * *", "hour")]
    [InlineData("* 1-24 * * *", "hour")]
    [InlineData("* * 0 * *", "day of the month")]
    [InlineData("* * 32 * *", "day of the month")]
    [InlineData("* * ? * *", "day of the month")]
    [InlineData("* * L * *", "day of the month")]
    [InlineData("* * 15W * *", "day of the month")]
    [InlineData("* * * 0 *", "month")]
    [InlineData("* * * 13 *", "month")]
    [InlineData("* * * january *", "month")]
    [InlineData("* * * dec-jan *", "month")]
    [InlineData("* * * * 8", "day of the week")]
    [InlineData("* * * * 5L", "day of the week")]
    [InlineData("* * * * mon#1", "day of the week")]
    [InlineData("* * * * montag", "day of the week")]
    [InlineData("0 0 31 2 *", "never comes")]
    [InlineData("0 0 30,31 feb *", "never comes")]
    [InlineData("0 0 31 4,6,9,11 *", "never comes")]
    public void What_is_no_expression_is_told(string cron, string said)
    {
        Assert.Null(CronTimes.Read(cron, TimeZoneInfo.Utc, out var wrong));
        Assert.Contains(said, wrong, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("UTC", true)]
    [InlineData("Europe/Berlin", true)]
    [InlineData("America/Argentina/Buenos_Aires", true)]
    [InlineData("America/Port-au-Prince", true)]
    [InlineData("Etc/GMT+5", true)]
    [InlineData("europe/berlin", false)]
    [InlineData("Europe/BERLIN", false)]
    [InlineData("Europe/Nowhere", false)]
    [InlineData("Europe", false)]
    [InlineData("CET", false)]
    [InlineData("localtime", false)]
    [InlineData("W. Europe Standard Time", false)]
    [InlineData("+01:00", false)]
    [InlineData("", false)]
    [InlineData("/dev/zero", false)]
    [InlineData("Europe/../../../../dev/zero", false)]
    [InlineData("right/Europe/Berlin", false)]
    public void A_time_zone_has_its_IANA_name(string name, bool known)
    {
        _ = ZoneName.Find("Europe/Berlin"); // known in any case from now on
        Assert.Equal(known, ZoneName.Find(name) is not null);
    }

    private static CronTimes? Read(string cron, string zone) => CronTimes.Read(cron, ZoneName.Find(zone)!, out _);

    private static string[] Ticks(string cron, string zone, string after, int count)
    {
        var (times, at, ticks) = (Read(cron, zone)!, Time(after), new List<string>());
        while (ticks.Count < count && times.Next(at) is { } next)
        {
            ticks.Add(Text(at = next));
        }

        return [.. ticks];
    }

    private static DateTime Time(string text) => DateTime.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal);

    private static string Text(DateTime time) => time.ToString(time.Second == 0 ? "yyyy-MM-ddTHH:mm" : "O", CultureInfo.InvariantCulture);
}
