using System.Text;

namespace QueueScale.Local;

/// <summary>The settings of docker-compose.yml: <c>.env</c> beside it, made from <c>.env.example</c>.</summary>
public static class ComposeSettings
{
    private const string Trial = "trial-";
    private const string Key = "qs_";
    private const string Environment = "QUEUESCALE_ENVIRONMENT";

    /// <summary>Writes <c>.env</c> with fresh secrets where the example has those for a trial. Only its owner may read it.</summary>
    /// <param name="replace">Whether one that is there goes.</param>
    /// <returns>Its path.</returns>
    /// <exception cref="LocalProblem">One is there: servers that have started with its passwords know no others.</exception>
    public static string Write(bool replace)
    {
        var file = Path.Combine(Checkout.Root, ".env");
        if (File.Exists(file) && !replace)
        {
            throw new LocalProblem($"{file} is there already. Servers that have started know its passwords and no others: keep it, or delete their volumes (docker compose down --volumes) and use --force.");
        }

        var text = new StringBuilder();
        foreach (var line in File.ReadLines(file + ".example"))
        {
            text.Append(line.Split('=', 2) switch
            {
                [var name, var value] when value.StartsWith(Key + Trial, StringComparison.Ordinal) => $"{name}={Key}{Secrets.New()}",
                [var name, var value] when value.StartsWith(Trial, StringComparison.Ordinal) => $"{name}={Secrets.New()}",
                [Environment, _] => $"{Environment}=Production",
                _ => line,
            }).Append('\n');
        }

        SecretFile.Write(file, text.ToString());
        return file;
    }
}
