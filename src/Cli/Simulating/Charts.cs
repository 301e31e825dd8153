using System.Globalization;
using System.Xml.Linq;

namespace QueueScale.Cli.Simulating;

/// <summary>A prediction as a picture: ready jobs, age and workers over time, one below the other.</summary>
internal static class Charts
{
    private const int Width = 820;
    private const int Left = 70;
    private const int Right = 20;
    private const int Top = 34;
    private const int High = 130;
    private const int Distance = 76;
    private const string Ink = "#333333";
    private const string Predicted = "#1f5fa8";
    private const string Recorded = "#c23b22";

    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    /// <returns>SVG, as text.</returns>
    public static string Draw(Prediction prediction, RecordedRun? recorded)
    {
        var end = Math.Max(1, Math.Max(prediction.Points[^1].At, recorded?.Points[^1].At ?? 0));
        var height = (3 * (High + Distance)) - Distance + Top + 50;
        return new XElement(Svg + "svg",
            new XAttribute("viewBox", $"0 0 {Width} {height}"), new XAttribute("width", Width), new XAttribute("height", height),
            new XAttribute("font-family", "sans-serif"), new XAttribute("font-size", 12), new XAttribute("fill", Ink),
            new XElement(Svg + "rect", new XAttribute("width", "100%"), new XAttribute("height", "100%"), new XAttribute("fill", "white")),
            Chart(0, "Ready jobs", "jobs", end, Curve(point => point.Ready), []),
            Chart(1, "Age of the oldest ready job", "seconds", end, Curve(point => point.OldestSeconds), [.. recorded?.Points.Select(point => (point.At, point.Age)) ?? []]),
            Chart(2, "Workers that take jobs", "workers", end, Curve(point => point.Workers),
                [.. recorded?.Points.Where(point => point.Workers is not null).Select(point => (point.At, point.Workers!.Value)) ?? []])).ToString();

        // No more points than there is room for; of several the greatest, so that no peak is lost.
        (double At, double Value)[] Curve(Func<PredictedPoint, double> value) =>
            [.. prediction.Points.Chunk((prediction.Points.Count / (Width - Left - Right)) + 1).Select(some => some.MaxBy(value)).Select(point => ((double)point.At, value(point)))];
    }

    private static IEnumerable<XElement> Chart(int place, string title, string unit, double end, (double At, double Value)[] predicted, (double At, double Value)[] recorded)
    {
        var bottom = Top + High + (place * (High + Distance));
        var step = Step(predicted.Concat(recorded).Max(point => point.Value), 4);
        var top = step * Math.Max(1, Math.Ceiling(predicted.Concat(recorded).Max(point => point.Value) / step));
        yield return Text(Left, bottom - High - 12, recorded.Length == 0 ? title : $"{title}: predicted, and recorded (dashed)", "start", bold: true);
        yield return Text(16, bottom - (High / 2), unit, "middle", turn: true);
        for (var value = 0.0; value <= top * 1.001; value += step)
        {
            yield return Line(Left, Y(value), Width - Right, Y(value));
            yield return Text(Left - 6, Y(value) + 4, Number(value), "end");
        }

        var unitOfTime = end > 7200 ? 3600 : end > 300 ? 60 : 1;
        for (var at = 0.0; at <= end / unitOfTime * 1.001; at += Step(end / unitOfTime, 8))
        {
            yield return Line(X(at * unitOfTime), bottom, X(at * unitOfTime), bottom + 4);
            yield return Text(X(at * unitOfTime), bottom + 18, Number(at), "middle");
        }

        yield return Text(Left + ((Width - Left - Right) / 2), bottom + 36, $"{(unitOfTime == 3600 ? "hours" : unitOfTime == 60 ? "minutes" : "seconds")} from the start", "middle");
        yield return Curve(predicted, Predicted);
        if (recorded.Length > 0) yield return Curve(recorded, Recorded, new XAttribute("stroke-dasharray", "6 4"));

        double X(double at) => Left + (at / end * (Width - Left - Right));

        double Y(double value) => bottom - (value / top * High);

        XElement Curve((double At, double Value)[] points, string colour, XAttribute? dashes = null) => new(Svg + "polyline",
            new XAttribute("points", string.Join(' ', points.Select(point => $"{Number(X(point.At))},{Number(Y(point.Value))}"))),
            new XAttribute("fill", "none"), new XAttribute("stroke", colour), new XAttribute("stroke-width", 1.5), dashes);
    }

    /// <summary>A round distance between marks, so that there are about <paramref name="marks"/> of them.</summary>
    private static double Step(double most, int marks)
    {
        var least = Math.Max(most, 1) / marks;
        var ten = Math.Pow(10, Math.Floor(Math.Log10(least)));
        return ten * (least <= ten ? 1 : least <= 2 * ten ? 2 : least <= 5 * ten ? 5 : 10);
    }

    private static XElement Text(double x, double y, string text, string anchor, bool bold = false, bool turn = false) => new(Svg + "text",
        new XAttribute("x", Number(x)), new XAttribute("y", Number(y)), new XAttribute("text-anchor", anchor),
        bold ? new XAttribute("font-weight", "bold") : null, turn ? new XAttribute("transform", $"rotate(-90 {Number(x)} {Number(y)})") : null, text);

    private static XElement Line(double x1, double y1, double x2, double y2) => new(Svg + "line",
        new XAttribute("x1", Number(x1)), new XAttribute("y1", Number(y1)), new XAttribute("x2", Number(x2)), new XAttribute("y2", Number(y2)), new XAttribute("stroke", "#cccccc"));

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
