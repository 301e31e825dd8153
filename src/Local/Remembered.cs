using System.Text.Json;

namespace QueueScale.Local;

/// <summary>What a run folder remembers from one start to the next: ports, secrets, the number of workers. Changed only under the folder's lock, by one
/// process at a time; every change is on disk when its method returns.</summary>
internal sealed class Remembered(RunFolder folder)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };
    private static readonly Lock Changing = new(); // servers start in parallel

    /// <summary>How many workers were asked for; null while nothing is up.</summary>
    public int? Workers
    {
        get => Load().Workers;
        set => Change(content => content.Workers = value);
    }

    /// <summary>Whether the servers run in containers; null until they have been started.</summary>
    public bool? InContainers
    {
        get => Load().InContainers;
        set => Change(content => content.InContainers = value);
    }

    public int? KnownPort(string name) => Load().Ports.TryGetValue(name, out var port) ? port : null;

    public string? KnownSecret(string name) => Load().Secrets.GetValueOrDefault(name);

    /// <summary>The port to start <paramref name="name"/> on, which must not be running: the remembered one unless somebody else has taken it.</summary>
    public int FreePortFor(string name) => Change(content =>
        content.Ports.TryGetValue(name, out var known) && FreePort.IsFree(known) ? known : content.Ports[name] = FreePort.Choose(except: content.Ports.Values));

    /// <summary>The secret of that name, made at its first use.</summary>
    public string Secret(string name, string prefix = "") =>
        Change(content => content.Secrets.TryGetValue(name, out var known) ? known : content.Secrets[name] = prefix + Secrets.New());

    private Content Load()
    {
        try
        {
            return JsonSerializer.Deserialize<Content>(File.ReadAllBytes(folder.SettingsFile), Json) ?? new Content();
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return new Content();
        }
        catch (JsonException error)
        {
            throw new LocalProblem($"{folder.SettingsFile} cannot be read ({error.Message}). Start anew: ./queuescale down --wipe", error);
        }
    }

    private T Change<T>(Func<Content, T> change)
    {
        lock (Changing)
        {
            var content = Load();
            var before = JsonSerializer.Serialize(content, Json);
            var result = change(content);
            var after = JsonSerializer.Serialize(content, Json);
            if (after != before) Save(after);
            return result;
        }
    }

    // Written beside and renamed, so that a crash leaves the old content or the new.
    private void Save(string content)
    {
        var next = folder.SettingsFile + ".next";
        SecretFile.Write(next, content);
        File.Move(next, folder.SettingsFile, overwrite: true);
    }

    private sealed class Content
    {
        public SortedDictionary<string, int> Ports { get; init; } = [];
        public SortedDictionary<string, string> Secrets { get; init; } = [];
        public int? Workers { get; set; }
        public bool? InContainers { get; set; }
    }
}
