using QueueScale.Hosting;

namespace QueueScale.Tests;

/// <summary>The limit that kills is found, whatever the machine calls it.</summary>
public sealed class MemoryLimitTests : IDisposable
{
    private const long Machine = 8_000_000L * 1024;

    private readonly string root = Directory.CreateTempSubdirectory("memory-limit").FullName;

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Fact]
    public void A_container_with_a_limit() => Assert.Equal(512, Read("0::/", ("memory.max", "512")));

    [Fact]
    public void A_container_without_a_limit_has_all_of_the_machine() => Assert.Equal(Machine, Read("0::/", ("memory.max", "max")));

    [Fact]
    public void The_least_of_the_groups_around_the_process_counts() =>
        Assert.Equal(300, Read("0::/slice/pod/box", ("slice/memory.max", "900"), ("slice/pod/memory.max", "300"), ("slice/pod/box/memory.max", "max")));

    [Fact]
    public void A_group_whose_folder_cannot_be_seen_from_within_the_container() => Assert.Equal(512, Read("0::/kubepods/pod1/box", ("memory.max", "512")));

    [Fact]
    public void The_first_version_of_control_groups() =>
        Assert.Equal(700, Read("9:name=systemd:/\n4:memory:/a/b\n1:cpu:/c", ("memory/memory.limit_in_bytes", "9223372036854771712"), ("memory/a/memory.limit_in_bytes", "700"), ("memory.max", "1")));

    [Fact]
    public void Where_nothing_can_be_read_it_is_unknown() => Assert.Null(MemoryLimit.Read(Path.Combine(root, "none"), root));

    private long? Read(string groups, params (string File, string Text)[] files)
    {
        var (proc, cgroups) = (Path.Combine(root, "proc"), Path.Combine(root, "cgroup"));
        Write(Path.Combine(proc, "self", "cgroup"), groups);
        Write(Path.Combine(proc, "meminfo"), $"MemTotal:        {Machine / 1024} kB\nMemFree:         12 kB");
        foreach (var (file, text) in files)
        {
            Write(Path.Combine(cgroups, file), text);
        }

        return MemoryLimit.Read(proc, cgroups);
    }

    private static void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text + "\n");
    }
}
