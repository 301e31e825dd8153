using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Xml;
using Microsoft.Extensions.Options;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Reads submissions and checks all of them at once: what comes out can be stored and run; what is wrong is noted under its JSON pointer.</summary>
internal sealed class SubmissionReader(KnownTypes types, DepthDuty depth, IOptions<ApiOptions> options)
{
    public const int MaxTags = 10;
    public const int MaxTagLength = 64;
    public const int MaxKeyLength = 255;
    public const int MostAttempts = 100;

    private const int Envelope = 16 * 1024;

    private static readonly JsonElement EmptyInput = JsonElement.Parse("{}");

    private static readonly string[] Members = ["type", "input", "queue", "priority", "runAt", "delay", "maxAttempts", "timeout", "uniqueKey", "tags"];
    private static readonly TimeSpan LongestDelay = TimeSpan.FromDays(3650);
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(30);

    /// <summary>The most bytes of one submission: those of its input, and some for all else.</summary>
    public int Longest => options.Value.MaxInputBytes + Envelope;

    /// <summary>Reads one submission.</summary>
    public async Task<NewJob> ReadAsync(JsonElement body, int tenant) => (await ReadAsync([("", body)], tenant))[0];

    /// <summary>Reads several submissions; pointers begin with an element's index.</summary>
    public Task<IReadOnlyList<NewJob>> ReadBatchAsync(IReadOnlyList<JsonPart> parts, int tenant) => ReadAsync(parts.Select((part, index) => ($"/{index}", Body(part, index))), tenant);

    /// <summary>Reads a submission that is part of something else.</summary>
    /// <param name="pointer">Where it stands.</param>
    /// <param name="body">The submission.</param>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="invalid">What is wrong with it is added.</param>
    /// <returns>Null where its type is not known.</returns>
    public async Task<NewJob?> ReadPartAsync(string pointer, JsonElement body, int tenant, InvalidFields invalid)
    {
        var (jobs, wrong) = await CheckAsync([(pointer, body)], tenant);
        invalid.AddAll(wrong);
        return jobs is [var job] ? job : null;
    }

    private JsonElement Body(JsonPart part, int index) => part.Bytes.Length <= Longest
        ? part.Parse()
        : throw Refusal.TooLarge($"A submission has at most {Longest} bytes.", InvalidFields.Of($"/{index}", $"has {part.Bytes.Length} bytes; {Longest} are allowed, of which {options.Value.MaxInputBytes} for the input"));

    private async Task<IReadOnlyList<NewJob>> ReadAsync(IEnumerable<(string Pointer, JsonElement Body)> submissions, int tenant)
    {
        var (jobs, invalid) = await CheckAsync(submissions, tenant);
        return invalid.Any ? throw Refusal.Invalid(invalid) : jobs;
    }

    private async Task<(IReadOnlyList<NewJob> Jobs, InvalidFields Invalid)> CheckAsync(IEnumerable<(string Pointer, JsonElement Body)> submissions, int tenant)
    {
        var jobs = Read(submissions, tenant, out var invalid);
        if (invalid.Any)
        {
            await types.RefreshAsync(); // a worker may have registered the type, or its new schema, a moment ago
            jobs = Read(submissions, tenant, out invalid);
        }

        return (jobs, invalid);
    }

    private List<NewJob> Read(IEnumerable<(string Pointer, JsonElement Body)> submissions, int tenant, out InvalidFields invalid)
    {
        invalid = new InvalidFields();
        var jobs = new List<NewJob>();
        foreach (var (pointer, body) in submissions)
        {
            if (new One(types.Present, depth, options.Value, invalid, pointer).Read(body, tenant) is { } job)
            {
                jobs.Add(job);
            }
        }

        return jobs;
    }

    /// <summary>One submission being read.</summary>
    private readonly struct One(IReadOnlyDictionary<string, KnownType> known, DepthDuty depth, ApiOptions options, InvalidFields invalid, string pointer)
    {
        public NewJob? Read(JsonElement body, int tenant)
        {
            if (body.ValueKind != JsonValueKind.Object)
            {
                invalid.Add(pointer, "must be an object");
                return null;
            }

            foreach (var member in body.EnumerateObject())
            {
                if (!Members.Contains(member.Name))
                {
                    invalid.Add($"{pointer}/{Pointer.Escape(member.Name)}", $"is unknown; a submission has {string.Join(", ", Members)}");
                }
            }

            var type = ReadType(body);
            var input = ReadInput(body, type);
            var queue = Text(body, "queue");
            if (queue is not null && !QueueName.IsValid(queue))
            {
                Wrong("queue", $"must be {QueueName.Rule}");
            }
            else if (queue is not null && !depth.MayName(queue))
            {
                Wrong("queue", $"is a new name, and {DepthDuty.MostStrange} queues that no worker has ever served are there already. Start a worker that serves it first (Worker:Queues)");
            }

            var runAt = ReadRunAt(body);
            var delay = ReadDuration(body, "delay", TimeSpan.Zero, LongestDelay);
            if (runAt is not null && delay is not null)
            {
                Wrong("delay", "excludes runAt; give one of them");
            }

            var job = new NewJob
            {
                Id = Guid.CreateVersion7(),
                Tenant = tenant,
                Type = type?.Registered.Name ?? "",
                Queue = queue ?? type?.Registered.Queue ?? "",
                High = ReadPriority(body) == JobPriority.High,
                Input = input,
                RunAt = runAt,
                Delay = delay,
                MaxAttempts = ReadMaxAttempts(body) ?? type?.Registered.MaxAttempts ?? 1,
                Timeout = ReadDuration(body, "timeout", TimeSpan.FromMilliseconds(1), LongestTimeout) ?? type?.Registered.Timeout,
                UniqueKey = ReadUniqueKey(body),
                Tags = ReadTags(body),
                Trace = TraceContext.OfRequest(),
            };
            return type is null ? null : job;
        }

        private KnownType? ReadType(JsonElement body)
        {
            if (Text(body, "type") is not { } name)
            {
                if (!body.TryGetProperty("type", out var given) || given.ValueKind == JsonValueKind.Null)
                {
                    Wrong("type", "is required");
                }

                return null;
            }

            if (known.TryGetValue(name, out var type))
            {
                return type;
            }

            Wrong("type", $"is not a registered job type. {(known.Count == 0 ? "No worker has registered any yet; start one." : $"Registered are {string.Join(", ", known.Keys.Order().Take(20))}.")}");
            return null;
        }

        private string ReadInput(JsonElement body, KnownType? type)
        {
            var given = JsonBody.Find(body, "input") ?? EmptyInput;
            var input = given.GetRawText();
            MustFit(Encoding.UTF8.GetByteCount(input), "");
            var zeros = 0L;
            if (Storable.NeedsALook(input) && Storable.Fault(given, $"{pointer}/input", ref zeros) is { } fault)
            {
                invalid.Add(fault.At, fault.Wrong);
                return input;
            }

            MustFit(Encoding.UTF8.GetByteCount(input) + zeros, " when its numbers are written out");
            try
            {
                type?.Schema.Check(given, $"{pointer}/input", invalid);
            }
            catch (SchemaUnusable unusable)
            {
                Wrong("type", $"has a schema against which nothing can be checked: {unusable.Message} Mend the job class and start its worker again.");
            }

            return input;
        }

        private void MustFit(long bytes, string when)
        {
            if (bytes > options.MaxInputBytes)
            {
                throw Refusal.TooLarge($"An input has at most {options.MaxInputBytes} bytes{when}.", InvalidFields.Of($"{pointer}/input", $"has {bytes} bytes{when}; {options.MaxInputBytes} are allowed"));
            }
        }

        private JobPriority ReadPriority(JsonElement body)
        {
            switch (Text(body, "priority"))
            {
                case null or "normal":
                    return JobPriority.Normal;
                case "high":
                    return JobPriority.High;
                default:
                    Wrong("priority", "must be normal or high");
                    return JobPriority.Normal;
            }
        }

        private DateTime? ReadRunAt(JsonElement body)
        {
            if (Text(body, "runAt") is not { } text)
            {
                return null;
            }

            if (Rfc3339.Parse(text) is { } at && at >= DateTime.UnixEpoch && at < DateTime.UtcNow + LongestDelay)
            {
                return at;
            }

            Wrong("runAt", $"{Rfc3339.Rule}, from 1970 to ten years from now");
            return null;
        }

        private TimeSpan? ReadDuration(JsonElement body, string member, TimeSpan least, TimeSpan most)
        {
            if (Text(body, member) is not { } text)
            {
                return null;
            }

            if (Iso8601.Parse(text, least, most) is { } span)
            {
                return span;
            }

            Wrong(member, Iso8601.Rule(least, most));
            return null;
        }

        private short? ReadMaxAttempts(JsonElement body)
        {
            if (JsonBody.Find(body, "maxAttempts") is not { } given)
            {
                return null;
            }

            if (given.ValueKind == JsonValueKind.Number && given.TryGetInt16(out var value) && value is >= 1 and <= MostAttempts)
            {
                return value;
            }

            Wrong("maxAttempts", $"must be a whole number from 1 to {MostAttempts}");
            return null;
        }

        private string? ReadUniqueKey(JsonElement body)
        {
            if (JsonBody.Find(body, "uniqueKey") is not { } given)
            {
                return null;
            }

            if (Storable.Text(given) is { Length: > 0 and <= MaxKeyLength } key && !key.Any(char.IsControl))
            {
                return key;
            }

            Wrong("uniqueKey", $"must be a text of 1 to {MaxKeyLength} characters without control characters");
            return null;
        }

        private List<string>? ReadTags(JsonElement body)
        {
            if (JsonBody.Find(body, "tags") is not { } given)
            {
                return null;
            }

            if (given.ValueKind != JsonValueKind.Array || given.GetArrayLength() > MaxTags)
            {
                Wrong("tags", $"must be an array of at most {MaxTags} texts");
                return null;
            }

            var tags = new List<string>();
            foreach (var (index, element) in given.EnumerateArray().Index())
            {
                if (Storable.Text(element) is { Length: > 0 and <= MaxTagLength } tag && !tag.Any(char.IsControl))
                {
                    tags.Add(tag);
                }
                else
                {
                    Wrong($"tags/{index}", $"must be a text of 1 to {MaxTagLength} characters without control characters");
                }
            }

            return tags;
        }

        private string? Text(JsonElement body, string member)
        {
            if (JsonBody.Find(body, member) is not { } given)
            {
                return null;
            }

            if (Storable.Text(given) is { } text && !text.Contains('\0', StringComparison.Ordinal))
            {
                return text;
            }

            Wrong(member, "must be a text");
            return null;
        }

        private void Wrong(string member, string message) => invalid.Add($"{pointer}/{member}", message);
    }
}
