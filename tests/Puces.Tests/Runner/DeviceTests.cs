using System.Diagnostics;
using Puces.Core.Fleet;
using Puces.Runner.Devices;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Runner;

public sealed class DeviceTests : RunnerSuite
{
    [Theory]
    [InlineData("NVIDIA H100 80GB HBM3", "H100")]
    [InlineData("NVIDIA H100 NVL", "H100NVL")]
    [InlineData("NVIDIA H200", "H200")]
    [InlineData("NVIDIA A100-SXM4-80GB", "A100")]
    [InlineData("NVIDIA A100-PCIE-40GB", "A100")]
    [InlineData("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "A100-1G.5GB")]
    [InlineData("NVIDIA H100 80GB HBM3 MIG 1c.3g.40gb", "H100-1C.3G.40GB")]
    [InlineData("NVIDIA H100 80GB HBM3 MIG 1g.10gb+me", "H100-1G.10GB+ME")]
    [InlineData("NVIDIA GeForce RTX 4090", "RTX4090")]
    [InlineData("NVIDIA GeForce RTX 3080 Ti", "RTX3080Ti")]
    [InlineData("NVIDIA RTX A6000", "RTXA6000")]
    [InlineData("Tesla V100-SXM2-16GB", "V100")]
    [InlineData("Tesla T4", "T4")]
    [InlineData("NVIDIA L40S", "L40S")]
    [InlineData("NVIDIA GH200 480GB", "GH200")]
    [InlineData("AMD Instinct MI300X", "MI300X")]
    [InlineData("Intel(R) Data Center GPU Max 1550", "Max1550")]
    [InlineData("", "unknown")]
    public void A_device_goes_by_the_name_that_people_ask_for(string driver, string name) => Assert.Equal(name, Models.Normalise(driver));

    private void Card(int number, params (string File, string Text)[] files)
    {
        foreach (var (file, text) in files)
        {
            var path = Path.Combine(Root, "class/drm", $"card{number}", file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text + "\n");
        }
    }

    [Fact]
    public void Amd_and_intel_devices_are_found_where_the_kernel_shows_them()
    {
        Directory.CreateDirectory(Path.Combine(Root, "class/kfd"));
        Card(10, ("device/vendor", "0x1002"), ("device/device", "0x74a1"), ("device/mem_info_vram_total", "206141652992"));
        Card(2, ("device/vendor", "0x1002"), ("device/product_name", "AMD Instinct MI210"), ("device/mem_info_vram_total", "68702699520"));
        Card(0, ("device/vendor", "0x8086"), ("device/device", "0x0bd5"), ("device/class", "0x038000"));
        Card(1, ("device/vendor", "0x8086"), ("device/device", "0x46a6"), ("device/class", "0x030000"));
        Assert.Equal([(0, "MI210", 68702699520), (1, "MI300X", 206141652992)], Sysfs.Amd(Root).Select(d => (d.Index, d.Model, d.Memory.Bytes)));
        Assert.Equal([new Device(0, "Max1550", "intel", default)], Sysfs.Intel(Root));
    }

    [Fact]
    public void Amd_devices_that_xgmi_joins_are_one_island()
    {
        for (var i = 0; i < 3; i++)
        {
            Card(i, ("device/vendor", "0x1002"), ("device/device", "0x74a1"), ("device/mem_info_vram_total", "1"), ("device/uevent", $"DRIVER=amdgpu\nPCI_SLOT_NAME=0000:{i + 1}3:00.0"));
            var node = Path.Combine(Root, $"class/kfd/kfd/topology/nodes/{i + 1}");
            Directory.CreateDirectory(Path.Combine(node, "io_links/0"));
            File.WriteAllText(Path.Combine(node, "properties"), $"simd_count 1\nlocation_id {(i + 1) << 12 | 3 << 8}\ndomain 0\n");
            // The first two by xGMI, the third over PCIe (type 2).
            File.WriteAllText(Path.Combine(node, "io_links/0/properties"), i < 2 ? $"type 11\nnode_to {2 - i}\n" : "type 2\nnode_to 1\n");
        }
        Assert.Equal([0, 0, null], Sysfs.Amd(Root).Select(d => d.Island));
    }

    [Fact]
    public void Where_the_kernel_shows_nothing_nothing_is_found() =>
        Assert.Empty(Sysfs.Amd(Root).Concat(Sysfs.Intel(Root)));

    [Theory]
    [InlineData("", "H100 H100?")]
    [InlineData("-DLINKS", "H100/0 H100?/0")]
    [InlineData("-DNO_DRIVER", "")]
    [InlineData("-DMIG", "H100? H100-1G.10GB H100-3G.40GB")]
    [InlineData("-DMIG -DNO_INSTANCES", "H100?")]
    public void Nvidia_devices_are_asked_from_the_drivers_library(string how, string expected)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/gcc"), "building a stand-in for the driver's library needs gcc");
        var source = Path.Combine(Root, "nvml.c");
        File.WriteAllText(source, """
            #include <string.h>
            #ifdef NO_DRIVER
            int nvmlInit_v2(void) { return 9; }
            #else
            int nvmlInit_v2(void) { return 0; }
            #endif
            int nvmlShutdown(void) { return 0; }
            int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
            int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = (void *)(long)(i + 1); return 0; }
            int nvmlDeviceGetName(void *d, char *s, unsigned n) { strncpy(s, d == (void *)8 ? "NVIDIA H100 80GB HBM3 MIG 1g.10gb" : d == (void *)9 ? "NVIDIA H100 80GB HBM3 MIG 3g.40gb" : "NVIDIA H100 80GB HBM3", n); return 0; }
            #ifdef MIG
            int nvmlDeviceGetMigMode(void *d, unsigned *now, unsigned *next) { *now = *next = d == (void *)1; return 0; }
            int nvmlDeviceGetMaxMigDeviceCount(void *d, unsigned *n) { *n = 7; return 0; }
            int nvmlDeviceGetMigDeviceHandleByIndex(void *d, unsigned i, void **m) {
            #ifdef NO_INSTANCES
                return 6;
            #endif
                *m = (void *)(long)(i == 1 ? 8 : 9); return i == 1 || i == 4 ? 0 : 6; }
            #endif
            int nvmlDeviceGetUUID(void *d, char *s, unsigned n) { strncpy(s, d == (void *)8 ? "MIG-8" : d == (void *)9 ? "MIG-9" : "GPU-1", n); return 0; }
            int nvmlDeviceGetMemoryInfo(void *d, unsigned long long *m) { m[0] = d == (void *)8 ? 10200547328 : 85520809984; return d == (void *)2 ? 15 : 0; }
            #ifdef LINKS
            int nvmlDeviceGetP2PStatus(void *a, void *b, int what, int *status) { *status = what == 2 ? 0 : 5; return 0; }
            #endif
            """);
        using (var gcc = Process.Start("gcc", ["-shared", "-fPIC", .. how.Split(' ', StringSplitOptions.RemoveEmptyEntries), "-o", Path.Combine(Root, "libnvidia-ml.so.1"), source]))
            gcc.WaitForExit();
        using var agent = new RunnerProcess(Path.Combine(Root, "root"), new Dictionary<string, string> { ["LD_LIBRARY_PATH"] = Root });
        Assert.Equal(expected, string.Join(' ', agent.Hello.Devices.Select(d => d.Model + (d.IsHealthy ? "" : "?") + (d.Island is { } island ? $"/{island}" : ""))));
        if (how.StartsWith("-DMIG", StringComparison.Ordinal)) Assert.Equal([1, .. expected == "H100?" ? (int[])[] : [2, 3]], agent.Hello.Devices.Select(d => d.Index));
        else if (expected.Length > 0) Assert.Equal(new Device(0, "H100", "nvidia", new(85520809984), "GPU-1", Island: how.Length > 0 ? 0 : null), agent.Hello.Devices[0]);
    }

    [Theory]
    [InlineData(null, "2,5", "0 1 2 3 4 5 6 7")]
    [InlineData("17", "2,5", "2 5")]
    [InlineData("17", "GPU-0003", "3")]
    [InlineData("17", null, "0 1 2 3 4 5 6 7")]
    [InlineData("17", "", "0 1 2 3 4 5 6 7")]
    public void Within_a_slurm_job_only_the_devices_that_it_was_given_are_there(string? job, string? visible, string expected)
    {
        Device[] all = [.. Enumerable.Range(0, 8).Select(i => new Device(i, "H100", "nvidia", default, $"GPU-{i:0000}-abcd")), new Device(0, "MI300X", "amd", default)];
        var granted = Granted.Of(all, name => name switch { "SLURM_JOB_ID" => job, "CUDA_VISIBLE_DEVICES" => visible, _ => null });
        Assert.Equal(expected + " amd", string.Join(' ', granted.Select(d => d.Vendor == "amd" ? "amd" : d.Index.ToString(System.Globalization.CultureInfo.InvariantCulture))));
    }
}
