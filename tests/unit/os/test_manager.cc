#include <doctest/doctest.h>

#include "hq/os/manager.h"

namespace hq {
namespace {

// scontrol of Slurm 22.05.8
constexpr const char* kRunningJob = R"(JobId=23 JobName=whole
   UserId=root(0) GroupId=root(0) MCS_label=N/A
   JobState=RUNNING Reason=None Dependency=(null)
   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0
   RunTime=00:00:08 TimeLimit=00:05:00 TimeMin=N/A
   SubmitTime=2026-11-22T22:43:55 EligibleTime=2026-11-22T22:43:55
   NumNodes=4 NumCPUs=8 NumTasks=4 CPUs/Task=1 ReqB:S:C:T=0:0:*:*

)";

// qstat of OpenPBS 23.06.06
constexpr const char* kPbsJob = R"json({
	"timestamp":	1795388225,
	"pbs_version":	"23.06.06",
	"pbs_server":	"pbs",
	"Jobs":	{
		"5.pbs":	{
			"Job_Name":	"runs",
			"resources_used":	{
				"cput":	"00:00:00",
				"ncpus":	2,
				"walltime":	"00:00:10"
			},
			"job_state":	"R",
			"exec_host":	"pbs/1+n3/0",
			"exec_vnode":	"(pbs:ncpus=1)+(n3:ncpus=1)",
			"Resource_List":	{
				"ncpus":	2,
				"nodect":	2,
				"select":	"2:ncpus=1",
				"walltime":	"00:10:00"
			},
			"Variable_List":	{
				"PBS_O_QUEUE":	"workq"
			}
		}
	}
}
)json";

TEST_CASE("clock texts of batch systems are read: [D-][[HH:]MM:]SS") {
  CHECK(*parse_clock("08") == 8s);
  CHECK(*parse_clock("05:00") == 5min);
  CHECK(*parse_clock("48:00:01") == 48h + 1s);
  CHECK(*parse_clock("2-03:00:00") == 51h);
  for (const char* bad :
       {"", "N/A", "1:2:3:4", "-5", "1-", "5:", "x-1", "4000000000-0:0:0", "9999999:9999999:0"}) {
    CHECK_FALSE(parse_clock(bad).has_value());
  }
}

TEST_CASE("PBS is looked for first, then Slurm; nothing found is no error") {
  const Environment pbs{{"PBS_ENVIRONMENT", "PBS_BATCH"}, {"PBS_JOBID", "12.srv"}};
  Environment both = pbs;
  both["SLURM_JOB_ID"] = "77";

  CHECK(**detect_manager(pbs, ManagerChoice::kDetect) == Manager{ManagerKind::kPbs, "12.srv"});
  CHECK(**detect_manager(both, ManagerChoice::kDetect) == Manager{ManagerKind::kPbs, "12.srv"});
  CHECK(**detect_manager(both, ManagerChoice::kSlurm) == Manager{ManagerKind::kSlurm, "77"});
  CHECK(**detect_manager({{"SLURM_JOBID", "8"}}, ManagerChoice::kDetect) ==
        Manager{ManagerKind::kSlurm, "8"});
  CHECK_FALSE((*detect_manager(both, ManagerChoice::kNone)).has_value());
  CHECK_FALSE((*detect_manager({}, ManagerChoice::kDetect)).has_value());
}

TEST_CASE("a manager that is asked for and not there is an error") {
  CHECK(detect_manager({}, ManagerChoice::kPbs).error().message ==
        "PBS_ENVIRONMENT not found. The process is not running under PBS");
  CHECK(detect_manager({}, ManagerChoice::kSlurm).error().message ==
        "SLURM_JOB_ID/SLURM_JOBID not found. The process is not running under SLURM");
  CHECK_FALSE(detect_manager({{"PBS_ENVIRONMENT", "PBS_BATCH"}}, ManagerChoice::kPbs).ok());
  CHECK_FALSE((*detect_manager({{"PBS_ENVIRONMENT", "PBS_BATCH"}}, ManagerChoice::kDetect)).has_value());
}

TEST_CASE("the commands that are asked are the batch systems' own") {
  CHECK(allocation_query({ManagerKind::kSlurm, "77"}) ==
        std::vector<std::string>{"scontrol", "show", "job", "77"});
  CHECK(allocation_query({ManagerKind::kPbs, "5.pbs"}) ==
        std::vector<std::string>{"qstat", "-f", "5.pbs", "-F", "json"});
}

TEST_CASE("Slurm's remaining time is limit minus run time") {
  CHECK(*parse_scontrol_job(kRunningJob, "23")->remaining == 4min + 52s);
  CHECK(*parse_scontrol_job("JobId=77 TimeLimit=02:00:00 RunTime=00:10:30\n", "77")->remaining ==
        1h + 49min + 30s);
  CHECK(*parse_scontrol_job("JobId=1 RunTime=1-00:00:00 TimeLimit=2-12:00:00", "1")->remaining == 36h);
  // the limit is looked at about twice a minute
  CHECK(*parse_scontrol_job("JobId=1 RunTime=00:01:07 TimeLimit=00:01:00", "1")->remaining == 0s);
}

TEST_CASE("an unlimited Slurm job has no end") {
  CHECK_FALSE(parse_scontrol_job("JobId=1 RunTime=00:01:07 TimeLimit=UNLIMITED", "1")->remaining.has_value());
}

TEST_CASE("of several Slurm jobs the one with the id counts") {
  const char* text =
      "JobId=9 ArrayJobId=7 ArrayTaskId=2\n   RunTime=00:00:00 TimeLimit=00:01:00\n\n"
      "JobId=7 ArrayJobId=7 ArrayTaskId=3\n   RunTime=00:00:00 TimeLimit=00:02:00\n\n"
      "JobId=8 ArrayJobId=7 ArrayTaskId=1\n   RunTime=00:00:00 TimeLimit=00:03:00\n";

  CHECK(*parse_scontrol_job(text, "7")->remaining == 2min);
  CHECK(*parse_scontrol_job(text, "8")->remaining == 3min);
  CHECK(*parse_scontrol_job(text, "6")->remaining == 1min);
}

TEST_CASE("Slurm output without readable times is an error") {
  CHECK_FALSE(parse_scontrol_job("", "5").ok());
  CHECK_FALSE(parse_scontrol_job("JobId=5 TimeLimit=Partition_Limit RunTime=0", "5").ok());
  CHECK_FALSE(parse_scontrol_job("JobId=5 TimeLimit=00:10:00", "5").ok());
}

TEST_CASE("PBS's remaining time is walltime minus what was used") {
  CHECK(*parse_qstat_job(kPbsJob, "5.pbs", "n3")->remaining == 9min + 50s);
  CHECK(*parse_qstat_job(kPbsJob, "5", "n3")->remaining == 9min + 50s);
  const char* fresh = R"({"Jobs":{"6.pbs":{"Resource_List":{"walltime":"48:00:00"}}}})";
  CHECK(*parse_qstat_job(fresh, "6.pbs", "n3")->remaining == 48h);
  const char* endless = R"({"Jobs":{"6.pbs":{"Resource_List":{"ncpus":1}}}})";
  CHECK_FALSE(parse_qstat_job(endless, "6.pbs", "n3")->remaining.has_value());
}

TEST_CASE("raw control characters and foreign bytes in qstat's JSON don't hide the times") {
  const char* text =
      "{\"Jobs\":{\"31.pbs\":{\"Variable_List\":{\"MYN\":\"two\nlines\", \"X\":\"\xff\t\"},"
      "\"Resource_List\":{\"walltime\":\"00:10:00\"}}}}";

  CHECK(*parse_qstat_job(text, "31.pbs", "n3")->remaining == 10min);
}

TEST_CASE("qstat output without the job is an error") {
  const char* ended =
      "{\n\t\"timestamp\":\t1795388226,\n\t\"pbs_version\":\t\"23.06.06\",\n\t\"pbs_server\":\t\"pbs\"\n}\n";
  CHECK_FALSE(parse_qstat_job(ended, "0.pbs", "n3").ok());
  CHECK_FALSE(parse_qstat_job("Connection refused", "0.pbs", "n3").ok());
  CHECK_FALSE(parse_qstat_job("[1]", "0.pbs", "n3").ok());
  CHECK_FALSE(parse_qstat_job(R"({"Jobs":{"1":{"Resource_List":{"walltime":"soon"}}}})", "1", "n3").ok());
}

TEST_CASE("PBS's share of this host adds up its chunks") {
  const char* text = R"json({"Jobs":{"7.pbs":{
    "exec_host":"n1/0*2+n1/1*4+n2/0*8+n3/0",
    "exec_vnode":"(n1[0]:ncpus=2:mem=1048576kb)+(n1[0]:ncpus=1:mem=1gb+n1[1]:ncpus=3)+(n2:ncpus=8:mem=2gb)+(n3:ncpus=1)",
    "Resource_List":{"walltime":"00:10:00"}}}})json";

  const auto n1 = parse_qstat_job(text, "7.pbs", "n1.site.org");
  const auto n2 = parse_qstat_job(text, "7.pbs", "n2");
  const auto n3 = parse_qstat_job(text, "7.pbs", "n3");
  const auto other = parse_qstat_job(text, "7.pbs", "n4");

  CHECK(n1->host_cpus == 6);
  CHECK(n1->host_memory_bytes == uint64_t{2} << 30);
  CHECK(n2->host_cpus == 8);
  CHECK(n2->host_memory_bytes == uint64_t{2} << 30);
  CHECK(n3->host_cpus == 1);
  CHECK_FALSE(n3->host_memory_bytes.has_value());
  CHECK_FALSE(other->host_cpus.has_value());
}

TEST_CASE("Slurm's share comes from its variables") {
  const Manager slurm{ManagerKind::kSlurm, "5"};

  const BatchShare per_node =
      batch_share(slurm, {{"SLURM_CPUS_ON_NODE", "64"}, {"SLURM_MEM_PER_NODE", "2000"}}, {}, "n1", "");
  const BatchShare per_cpu =
      batch_share(slurm, {{"SLURM_CPUS_ON_NODE", "4"}, {"SLURM_MEM_PER_CPU", "500"}}, {}, "n1", "");
  const BatchShare whole = batch_share(slurm, {{"SLURM_MEM_PER_NODE", "0"}}, {}, "n1", "");
  const BatchShare none = batch_share({}, {{"SLURM_CPUS_ON_NODE", "64"}}, {}, "n1", "");

  CHECK(per_node.cpus == 64);
  CHECK(per_node.memory_bytes == uint64_t{2000} << 20);
  CHECK(per_cpu.memory_bytes == uint64_t{2000} << 20);
  CHECK_FALSE(whole.memory_bytes.has_value());
  CHECK_FALSE(whole.cpus.has_value());
  CHECK_FALSE(none.cpus.has_value());
}

TEST_CASE("srun's binding counts when it is for one task on this node") {
  const Manager slurm{ManagerKind::kSlurm, "5"};
  const Environment one{{"SLURM_CPU_BIND_TYPE", "mask_cpu:"},
                        {"SLURM_CPU_BIND_LIST", "0x0000000000000101"},
                        {"SLURM_STEP_TASKS_PER_NODE", "1(x2),2"},
                        {"SLURM_NODEID", "1"}};
  Environment third_node = one;
  third_node["SLURM_NODEID"] = "2";
  Environment two_masks = one;
  two_masks["SLURM_CPU_BIND_LIST"] = "0x1,0x2";
  Environment by_number = one;
  by_number["SLURM_CPU_BIND_TYPE"] = "map_cpu:";

  CHECK(batch_share(slurm, one, {}, "n1", "").bound_cpus == std::vector<uint32_t>{0, 8});
  CHECK_FALSE(batch_share(slurm, third_node, {}, "n1", "").bound_cpus.has_value());
  CHECK_FALSE(batch_share(slurm, two_masks, {}, "n1", "").bound_cpus.has_value());
  CHECK_FALSE(batch_share(slurm, by_number, {}, "n1", "").bound_cpus.has_value());
}

TEST_CASE("PBS's share comes from its answer, else from NCPUS and the node file") {
  const Manager pbs{ManagerKind::kPbs, "5.pbs"};
  const Environment env{{"NCPUS", "2"}};
  AllocationFacts facts;
  facts.host_cpus = 6;
  facts.host_memory_bytes = 5;

  const BatchShare told = batch_share(pbs, env, facts, "n1", "n1\n");

  CHECK(told.cpus == 6);
  CHECK(told.memory_bytes == 5);
  CHECK(batch_share(pbs, env, {}, "n1.site.org", "n1\nn2\nn1\n").cpus == 4);
  CHECK_FALSE(batch_share(pbs, env, {}, "n1", "").cpus.has_value());
}

TEST_CASE("a query that fails is told in the words of the original") {
  CHECK(query_failed_text(ManagerKind::kPbs, os_error(2)) ==
        "Cannot get time-limit from PBS: No such file or directory (os error 2)");
  CHECK(query_failed_text(ManagerKind::kSlurm, Error("x")) ==
        "Cannot get remaining worker timelimit from Slurm: x");
}

}  // namespace
}  // namespace hq
