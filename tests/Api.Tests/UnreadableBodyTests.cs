using System.Net.Sockets;

namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class UnreadableBodyTests(RunningApi api)
{
    private const string Good = $$"""{"type": "{{RunningApi.Any}}"}""";

    /// <summary>By their names, because the bytes cannot stand in a test's.</summary>
    private static readonly Dictionary<string, byte[]> Bodies = new()
    {
        ["empty"] = [],
        ["spaces only"] = "  \n"u8.ToArray(),
        ["cut off"] = Encoding.UTF8.GetBytes(Good[..^1]),
        ["cut off in a text"] = """{"type": "test.a"""u8.ToArray(),
        ["cut off in an escape"] = """{"type": "\u00"""u8.ToArray(),
        ["something behind it"] = Encoding.UTF8.GetBytes(Good + "x"),
        ["two of them"] = Encoding.UTF8.GetBytes(Good + Good),
        ["a comment"] = """{"type": "test.any" /* mine */}"""u8.ToArray(),
        ["a line comment"] = "// mine\n{\"type\": \"test.any\"}"u8.ToArray(),
        ["a trailing comma"] = """{"type": "test.any",}"""u8.ToArray(),
        ["a trailing comma in an array"] = """{"type": "test.any", "tags": ["a",]}"""u8.ToArray(),
        ["single quotes"] = "{'type': 'test.any'}"u8.ToArray(),
        ["a name without quotes"] = "{type: \"test.any\"}"u8.ToArray(),
        ["a raw line break in a text"] = "{\"type\": \"test.any\", \"queue\": \"a\nb\"}"u8.ToArray(),
        ["a raw NUL in a text"] = "{\"type\": \"test.any\", \"queue\": \"a\0b\"}"u8.ToArray(),
        ["NUL bytes"] = new byte[100],
        ["NaN"] = """{"type": "test.any", "input": NaN}"""u8.ToArray(),
        ["Infinity"] = """{"type": "test.any", "input": -Infinity}"""u8.ToArray(),
        ["a hexadecimal number"] = """{"type": "test.any", "input": 0x10}"""u8.ToArray(),
        ["a leading zero"] = """{"type": "test.any", "input": 012}"""u8.ToArray(),
        ["a leading plus"] = """{"type": "test.any", "input": +1}"""u8.ToArray(),
        ["an unknown escape"] = """{"type": "test.any", "input": "\x41"}"""u8.ToArray(),
        ["a byte order mark"] = [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(Good)],
        ["UTF-16"] = Encoding.Unicode.GetBytes(Good),
        ["Latin-1"] = [.. "{\"type\": \"test.any\", \"tags\": [\"caf"u8, 0xE9, .. "\"]}"u8],
        ["an overlong encoding"] = [.. "{\"type\": \"test.any\", \"tags\": [\""u8, 0xC0, 0x80, .. "\"]}"u8],
        ["half of a surrogate pair as UTF-8"] = [.. "{\"type\": \"test.any\", \"tags\": [\""u8, 0xED, 0xA0, 0x80, .. "\"]}"u8],
        ["half of a surrogate pair in a member's name"] = """{"type": "test.any", "\ud800": 1}"""u8.ToArray(),
        ["half of a surrogate pair in a name of the input"] = """{"type": "test.any", "input": {"a": {"x\udc00": 1}}}"""u8.ToArray(),
        ["a member twice"] = """{"type": "test.any", "type": "test.any"}"""u8.ToArray(),
        ["a member twice, once escaped"] = """{"type": "test.any", "\u0074ype": "test.any"}"""u8.ToArray(),
        ["a member of the input twice"] = """{"type": "test.any", "input": {"a": {"b": 1, "b": 2}}}"""u8.ToArray(),
        ["200 levels of arrays"] = Encoding.UTF8.GetBytes($$"""{"type": "test.any", "input": {{new string('[', 200)}}{{new string(']', 200)}}}"""),
        ["200 levels of objects"] = Encoding.UTF8.GetBytes($$"""{"type": "test.any", "input": {{string.Concat(Enumerable.Repeat("{\"a\":", 200))}}1{{new string('}', 200)}}}"""),
        ["100,000 levels, never closed"] = Encoding.UTF8.GetBytes(new string('[', 100_000)),
    };

    public static TheoryData<string> Names => [.. Bodies.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_body_that_is_no_JSON_is_400(string name)
    {
        await api.RefusesAsync(() => api.PostAsync("v1/jobs", Bodies[name]), 400);
        var isNone = Encoding.UTF8.GetString(Bodies[name]).Trim().Length == 0; // and so an empty array, which is JSON
        await api.RefusesAsync(() => api.PostAsync("v1/jobs/batch", [.. "["u8, .. Bodies[name], .. "]"u8]), isNone ? 422 : 400, isNone ? [""] : []);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("17")]
    [InlineData("true")]
    public async Task A_body_that_is_JSON_and_no_object_is_422(string body) => await api.RefusesAsync(() => api.SubmitAsync(body), 422, "");

    [Theory]
    [InlineData("Content-Length: 500\r\n\r\n{\"type\": \"test.any\"}")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n14\r\n{\"type\": \"test.any\"}\r\n")] // the last chunk is missing
    [InlineData("Transfer-Encoding: chunked\r\n\r\nffff\r\n{\"type\": \"test.any\"}")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nno number\r\n{\"type\": \"test.any\"}\r\n0\r\n\r\n")]
    public async Task A_body_whose_end_never_comes_stores_nothing(string rest)
    {
        var before = await api.RowsAsync();
        var answer = await RawAsync($"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {Stage.Key}\r\nContent-Type: application/json\r\n{rest}");
        Assert.True(answer.Length == 0 || answer.StartsWith("HTTP/1.1 400", StringComparison.Ordinal), answer);
        Assert.Equal(before, await api.RowsAsync());
        Assert.Equal(202, (await api.SubmitAsync(Good)).Status);
    }

    [Fact]
    public async Task A_body_that_only_promises_to_be_huge_is_refused_without_waiting_for_it()
    {
        var answer = await RawAsync($"POST /v1/jobs/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {Stage.Key}\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n", close: false);
        Assert.StartsWith("HTTP/1.1 413", answer, StringComparison.Ordinal);
        Assert.Contains("application/problem+json", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET / HTTP/9.9\r\n\r\n")]
    [InlineData("\0\0\0\0\r\n\r\n")]
    [InlineData("GET /v1/jobs\r\n\r\n")]
    [InlineData("GET /v1/jobs/%00 HTTP/1.1\r\nHost: x\r\n\r\n")]
    public async Task What_is_not_HTTP_does_not_disturb_the_API(string request)
    {
        await RawAsync(request);
        Assert.Equal(202, (await api.SubmitAsync(Good)).Status);
    }

    /// <summary>Writes bytes to a socket, ends the sending side, and reads until the API closes or has sent its head.</summary>
    private async Task<string> RawAsync(string request, bool close = true)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        using var socket = new TcpClient();
        await socket.ConnectAsync(api.Url.Host, api.Url.Port, limit.Token);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), limit.Token);
        if (close)
        {
            socket.Client.Shutdown(SocketShutdown.Send);
        }

        var answer = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            while (!answer.ToString().Contains("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(buffer, limit.Token) is > 0 and var read)
            {
                answer.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }
        }
        catch (IOException)
        {
            // Reset: an answer too.
        }

        return answer.ToString();
    }
}
