using System.Globalization;
using System.Text;
using Puces.Core.Replay;
using Xunit;

namespace Puces.Tests.Replay;

public sealed class TraceTests
{
    private static IReadOnlyList<TraceJob> Read(string text) => Trace.Read(new StringReader(text), "t.csv");

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    [Fact]
    public void The_common_form_is_read_with_all_its_columns_in_any_order()
    {
        var jobs = Read("gpus,job_id,submit_s,duration_s,gpu_type,project,status,cpus,mem_gb,owner,name\n8,a,10,3600,H100,vision,Pass,12.5,64,ann,\"train, big\"\n0.46,b,10.5,,,,,,,,\n");
        Assert.Equal(new TraceJob("a", Seconds(10), Seconds(3600), 8000, "H100", "vision", "ann", "train, big", "Pass", 12_500, new(64L << 30)), jobs[0]);
        Assert.Equal(new TraceJob("b", Seconds(10.5), null, 460), jobs[1]);
    }

    [Fact]
    public void Jobs_come_by_submit_time_and_those_together_in_the_order_of_their_rows() =>
        Assert.Equal("b c a d", string.Join(' ', Read("job_id,submit_s,duration_s,gpus\r\na,9,1,1\r\nb,2,1,1\r\nc,2,1,1\r\n\r\nd,9,1,1").Select(j => j.Id)));

    [Theory]
    [InlineData("a,x,1,1", "t.csv:2: submit_s 'x' is no number of seconds; write such as 3600 or 0.5")]
    [InlineData("a,1,-5,1", "t.csv:2: duration_s '-5' is no number of seconds")]
    [InlineData("a,,1,1", "t.csv:2: submit_s is empty")]
    [InlineData("a,1,1,eight", "t.csv:2: gpus 'eight' is no amount")]
    [InlineData("a,1,1,9999999", "t.csv:2: gpus '9999999' is no amount; write a number from 0 to 1000000")]
    [InlineData(",1,1,1", "t.csv:2: job_id is empty")]
    [InlineData("a,1,1", "t.csv:2: has 3 columns where the first line names 4")]
    [InlineData("a,1,1,1,1", "t.csv:2: has 5 columns")]
    [InlineData("a,1,1,1\n\nb,1,99999999999,1", "t.csv:4: duration_s '99999999999' is no number of seconds")]
    [InlineData("\"a,1,1,1", "t.csv:2: has a quote that does not end")]
    public void A_wrong_row_is_named_with_what_would_be_right(string rows, string error) =>
        Assert.StartsWith(error, Assert.Throws<TraceException>(() => Read("job_id,submit_s,duration_s,gpus\n" + rows + "\n")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("", "t.csv:1: is empty")]
    [InlineData("id,when\n1,2\n", "t.csv:1: 'id,when' is the first line of no form that is read")]
    public void A_form_that_is_not_known_is_answered_with_those_that_are(string text, string error)
    {
        var message = Assert.Throws<TraceException>(() => Read(text)).Message;
        Assert.StartsWith(error, message, StringComparison.Ordinal);
        if (text.Length > 0) Assert.All(["common: job_id,submit_s", "sacct -P", "Helios", "Philly", "openb", "pai_task_table", "Muri"], form => Assert.Contains(form, message, StringComparison.Ordinal));
    }

    [Fact]
    public void Lines_longer_than_the_buffer_and_rows_across_its_end_are_read_whole()
    {
        var text = new StringBuilder("job_id,submit_s,duration_s,gpus\n");
        for (var i = 0; i < 3000; i++) text.Append(CultureInfo.InvariantCulture, $"{new string('x', i * 37 % 900)}{i},{i},{i},1\n");
        text.Append(new string('y', 200_000)).Append(",3000,5,2");
        var jobs = Read(text.ToString());
        Assert.Equal(3001, jobs.Count);
        Assert.All(jobs.Take(3000).Select((j, i) => (j, i)), at => Assert.True(at.j.Submitted == Seconds(at.i) && at.j.Id.EndsWith(at.i.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)));
        Assert.Equal((200_000, 2000), (jobs[^1].Id.Length, jobs[^1].MilliGpus));
    }

    [Fact]
    public void Phillys_log_is_read_from_its_attempts()
    {
        const string Log = """
            [
            {"status": "Pass", "vc": "ee9e8c", "jobid": "application_1", "attempts": [
               {"start_time": "2017-10-07 01:12:09", "end_time": "2017-10-07 01:13:23", "detail": [{"ip": "m47", "gpus": ["gpu0", "gpu1"]}]},
               {"start_time": "2017-10-07 01:13:30", "end_time": "2017-10-07 02:13:30", "detail": [{"ip": "m4", "gpus": ["gpu0", "gpu1"]}, {"ip": "m5", "gpus": ["gpu\"}"]}]}],
             "submitted_time": "2017-10-07 01:11:39", "user": "ce2f4c"},
            {"status": "Killed", "vc": "a", "jobid": "none", "attempts": [], "submitted_time": "2017-10-07 01:11:09", "user": "u"},
            {"status": "Killed", "vc": "a", "jobid": "runs", "attempts": [{"start_time": "2017-10-07 01:12:09", "end_time": "None", "detail": [{"ip": "m", "gpus": ["gpu0"]}]}], "submitted_time": "2017-10-07 01:11:40", "user": "u"}
            ]
            """;
        var jobs = Read(Log);
        Assert.Equal(
        [
            new("none", Seconds(0), null, 0, Project: "a", Owner: "u", Status: "Killed"), new("application_1", Seconds(30), Seconds(74 + 3600), 3000, Project: "ee9e8c", Owner: "ce2f4c", Status: "Pass"),
            new("runs", Seconds(31), null, 1000, Project: "a", Owner: "u", Status: "Killed"),
        ], jobs);
    }

    [Theory]
    [InlineData("[\n{\"jobid\": \"a\"}]", "t.csv:2: this job has no submitted_time")]
    [InlineData("[{\"submitted_time\": \"2017-10-07 01:11:39\"}]", "t.csv:1: this job has no jobid")]
    [InlineData("[\n\n{\"jobid\": \"a\", \"submitted_time\": \"yesterday\"}]", "t.csv:3: submitted_time 'yesterday' is no moment")]
    [InlineData("[{\"jobid\": \"a\",\n", "t.csv:1: this job does not end")]
    [InlineData("[{\"jobid\": a}]", "t.csv:1: is no JSON")]
    public void A_mistake_in_JSON_is_named_too(string text, string error) =>
        Assert.StartsWith(error, Assert.Throws<TraceException>(() => Read(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Helios_log_is_read()
    {
        var jobs = Read("""
            job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue
            1425513,uzqls,vcpDC,1,1,1,CANCELLED,2020-06-09 18:41:28,2020-06-09 18:41:28,2020-06-17 14:15:21,675233,0
            1425511,uXBbc,vcJkd,16,64,2,COMPLETED,2020-06-09 18:41:01,2020-06-09 18:41:01,2020-06-10 04:55:09,36848,0
            """);
        Assert.Equal(
        [
            new("1425511", Seconds(0), Seconds(36_848), 16_000, Project: "vcJkd", Owner: "uXBbc", Status: "COMPLETED", MilliCpus: 64_000),
            new("1425513", Seconds(27), Seconds(675_233), 1000, Project: "vcpDC", Owner: "uzqls", Status: "CANCELLED", MilliCpus: 1000),
        ], jobs);
    }

    [Fact]
    public void Alibabas_pods_are_read_from_when_they_were_scheduled()
    {
        var jobs = Read("""
            name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
            openb-pod-0017,88000,327680,8,1000,V100M16|V100M32,Burstable,Succeeded,9437497,10769854,9437500
            openb-pod-0019,8000,30517,1,470,,LS,Pending,9664050,9664150,
            openb-pod-0021,8000,30517,0,0,,LS,Running,9671707,,9671708
            """);
        Assert.Equal(
        [
            new("openb-pod-0017", Seconds(9_437_497), Seconds(1_332_354), 8000, "V100M16|V100M32", "Burstable", Status: "Succeeded", MilliCpus: 88_000, Memory: new(327_680L << 20)),
            new("openb-pod-0019", Seconds(9_664_050), Seconds(100), 470, "", "LS", Status: "Pending", MilliCpus: 8000, Memory: new(30_517L << 20)),
            new("openb-pod-0021", Seconds(9_671_707), null, 0, "", "LS", Status: "Running", MilliCpus: 8000, Memory: new(30_517L << 20)),
        ], jobs);
        Assert.Equal([(Seconds(0), 1000, null), (Seconds(1), 460, null)], Read("name,cpu_milli,memory_mib,num_gpu,gpu_milli\na,1,1,1,1000\nb,1,1,1,460\n").Select(j => (j.Submitted, j.MilliGpus, j.Duration)));
    }

    [Fact]
    public void Alibabas_PAI_is_read_by_job_and_by_task()
    {
        Assert.Equal(
            [new("7", Seconds(5), Seconds(60), 1000, "V100", Owner: "u1", MilliCpus: 12_000), new("8", Seconds(9), Seconds(30), 0, "", Owner: "u2", MilliCpus: 4000)],
            Read("job_id,num_inst,submit_time,num_cpu,num_gpu,gpu_type,duration,user\n8,1,9,4.0,0.0,CPU,30.0,u2\n7,2,5.0,6.0,0.5,V100,60.0,u1\n"));
        var jobs = Read("""
            job_name,task_name,inst_num,status,start_time,end_time,plan_cpu,plan_mem,plan_gpu,gpu_type
            j1,ps,1.0,Terminated,105.0,205.0,600.0,10.0,,CPU
            j2,tensorflow,1.0,Running,90.0,,600.0,29.296875,50.0,MISC
            j1,worker,2.0,Failed,100.0,200.0,400.0,20.0,50.0,T4
            j3,worker,2.0,Waiting,,,400.0,20.0,50.0,T4
            """);
        Assert.Equal(
        [
            new("j2", Seconds(90), null, 500, "", Name: "tensorflow", Status: "Running", MilliCpus: 6000, Memory: new((long)(29.296875m * (1L << 30)))),
            new("j1", Seconds(100), Seconds(105), 1000, "T4", Name: "ps", Status: "Failed", MilliCpus: 14_000, Memory: new(50L << 30)),
        ], jobs);
    }

    [Fact]
    public void Slurms_accounting_is_read_without_its_steps()
    {
        var jobs = Read("""
            JobID|Submit|Start|End|Elapsed|AllocTRES|ReqTRES|Partition|Account|User|JobName|State
            77|2026-03-01T12:00:00|2026-03-01T12:10:00|2026-03-02T14:10:00|1-02:00:00|billing=16,cpu=16,gres/gpu:h100=8,gres/gpu=8,mem=512G,node=1|cpu=16|gpu|vision|ann|train "big"|COMPLETED
            77.batch|2026-03-01T12:10:00|2026-03-01T12:10:00|2026-03-02T14:10:00|1-02:00:00|cpu=16||||||COMPLETED
            78_4|2026-03-01T11:59:00|2026-03-01T12:10:00|2026-03-01T12:10:05|00:00:05|cpu=1,gres/gpu:a100=1,gres/gpu:t4=1,mem=1500M||gpu|nlp|bob|sweep|CANCELLED by 1000
            79_[5-10%2]|2026-03-01T13:00:00|Unknown|Unknown|00:00:00||cpu=1,gres/gpu=2|gpu|nlp|bob|sweep|PENDING
            80|2026-03-01T13:00:01|2026-03-01T13:00:02|Unknown|00:10:00|cpu=4,mem=4096||gpu|nlp|bob|long|RUNNING
            """);
        Assert.Equal(
        [
            new("78_4", Seconds(0), Seconds(5), 2000, "A100|T4", "nlp", "bob", "sweep", "CANCELLED", 1000, new(1500L << 20)),
            new("77", Seconds(60), TimeSpan.FromHours(26), 8000, "H100", "vision", "ann", "train \"big\"", "COMPLETED", 16_000, new(512L << 30)),
            new("79_[5-10%2]", Seconds(3660), null, 2000, "", "nlp", "bob", "sweep", "PENDING", 1000),
            new("80", Seconds(3661), null, 0, "", "nlp", "bob", "long", "RUNNING", 4000, new(4096L << 20)),
        ], jobs);
    }

    [Theory]
    [InlineData("JobID|Submit|Elapsed\n1|2026-03-01T12:00:00|00:00:01\n", "t.csv:1: there is no column AllocTRES; add it")]
    [InlineData("JobID|Submit|AllocTRES\n1|2026-03-01T12:00:00|\n", "t.csv:1: there is no column Elapsed; add it")]
    [InlineData("JobID|Submit|Elapsed|AllocTRES|JobName\n1|2026-03-01T12:00:00|00:00:01|cpu=1|a|b\n", "t.csv:2: has 6 columns where the first line names 5; where a job's name has a |")]
    [InlineData("JobID|Submit|Elapsed|AllocTRES\n1|2026-03-01T12:00:00|soon|cpu=1\n", "t.csv:2: Elapsed 'soon' is no duration")]
    [InlineData("JobID|Submit|Elapsed|AllocTRES\n1|2026-03-01T12:00:00|00:00:01|gres/gpu=many\n", "t.csv:2: AllocTRES 'gres/gpu=many' has a count that is no whole number")]
    public void A_mistake_in_Slurms_accounting_is_named(string text, string error) =>
        Assert.StartsWith(error, Assert.Throws<TraceException>(() => Read(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Muris_own_form_is_an_ordinary_trace_too()
    {
        const string Text = "job_id,num_gpu,submit_time,iterations,model_name,batch_size,iteration_time\n0,4,1500,1000,dqn,128,490\n";
        Assert.Equal([new("m0", Seconds(1.5), Seconds(490), 4000, Project: "dqn", Name: "dqn")], Read(Text));
        var (jobs, work) = MuriTrace.Read(new StringReader(Text), "t", new Dictionary<string, int[]> { ["dqn"] = [7, 8, 9] });
        Assert.Equal(Seconds(497.35), jobs[0].Duration);
        Assert.Equal(new RepackJob(1.5, 4, 1000, 490 * 1.015 / 1000, 9), work[0]);
    }

    [Fact]
    public void All_shared_traces_are_read_whole()
    {
        Assert.SkipWhen(Testing.SharedData.Find("data/traces") is null, Testing.SharedData.Reason);
        Assert.Equal(47_192, Golden.Trace("philly_2017_10").Count);
        var pods = Golden.Trace("openb2023_default");
        Assert.Equal(8152, pods.Count);
        Assert.Equal(new("openb-pod-0001", Seconds(427_061), Seconds(12_475_899), 460, "", "LS", Status: "Running", MilliCpus: 6000, Memory: new(12L << 30)), pods[1]);
        using var text = Golden.Text("data/traces/openb2023_nodes.csv.gz");
        var nodes = NodeGroup.Read(text, "nodes");
        Assert.Equal((1213, 6212, 842), (nodes.Sum(n => n.Nodes), nodes.Sum(n => n.Nodes * n.Devices), nodes.Where(n => n.Accelerator == "T4").Sum(n => n.Nodes * n.Devices)));
    }
}
