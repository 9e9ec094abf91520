#include <doctest/doctest.h>

#include "hq/core/alloc_script.h"

using namespace hq;

namespace {

AllocParams plain(ManagerKind manager) {
  AllocParams params;
  params.manager = manager;
  params.time_limit = 1h;
  params.worker_args = {"--cpus",       "\"4\"", "--on-server-lost", "\"finish-running\"",
                        "--time-limit", "\"1h\""};
  return params;
}

const AllocSite kSite{"/d/001", "/opt/hq", std::nullopt};

std::string script(const AllocParams& params, uint32_t workers, const AllocSite& site = kSite,
                   bool trial = false) {
  return allocation_script(site, {params, AllocQueueId(2), 3, workers, "/d/001/autoalloc/2/003", trial});
}

constexpr const char* kCommand =
    "/opt/hq worker start --idle-timeout \"5m\" --manager \"slurm\" --server-dir \"/d/001\" --cpus \"4\" "
    "--on-server-lost \"finish-running\" --time-limit \"1h\"";

}  // namespace

TEST_CASE("the script of one Slurm node is the worker's command below the directives") {
  CHECK(script(plain(ManagerKind::kSlurm), 1) ==
        std::string("#!/bin/bash\n"
                    "#SBATCH --nodes=1\n"
                    "#SBATCH --job-name=hq-2-3\n"
                    "#SBATCH --output=/d/001/autoalloc/2/003/stdout\n"
                    "#SBATCH --error=/d/001/autoalloc/2/003/stderr\n"
                    "#SBATCH --time=01:00:00\n"
                    "\n") +
            kCommand);
}

TEST_CASE("several Slurm nodes each run the command under srun") {
  AllocParams params = plain(ManagerKind::kSlurm);
  params.name = "foo";
  params.time_limit = 48h;
  params.additional_args = {"--partition=p1", "-A", "X"};

  const std::string text = script(params, 3);

  CHECK(text.find("#SBATCH --job-name=foo-3\n") != std::string::npos);
  CHECK(text.find("#SBATCH --time=48:00:00\n#SBATCH --partition=p1 -A X\n\n") != std::string::npos);
  CHECK(text.ends_with(std::string("\nsrun --overlap --ntasks=3 --nodes=3 ") + kCommand));
}

TEST_CASE("what a shell has to do before and after the worker is done on each of several Slurm nodes") {
  AllocParams params = plain(ManagerKind::kSlurm);
  params.worker_start_cmd = "echo 'a b'";
  params.worker_stop_cmd = "echo end";
  params.worker_wrap_cmd = " numactl -N0 ";
  AllocSite site = kSite;
  site.rust_log = "debug";

  CHECK(script(params, 2, site)
            .ends_with("\nsrun --overlap --ntasks=2 --nodes=2 bash -l -c 'echo '\\''a b'\\'' && "
                       "RUST_LOG=debug numactl -N0 " +
                       std::string(kCommand) + "; echo end'"));
  CHECK(
      script(params, 1, site)
          .ends_with("\n\necho 'a b' && RUST_LOG=debug numactl -N0 " + std::string(kCommand) + "; echo end"));
}

TEST_CASE("scripts for PBS name chunks, and are held in a trial") {
  AllocParams params = plain(ManagerKind::kPbs);
  params.idle_timeout = 11min;
  params.additional_args = {"-A", "proj"};

  CHECK(script(params, 2, kSite, true) ==
        "#!/bin/bash\n"
        "#PBS -l select=2\n"
        "#PBS -N hq-2-3\n"
        "#PBS -o /d/001/autoalloc/2/003/stdout\n"
        "#PBS -e /d/001/autoalloc/2/003/stderr\n"
        "#PBS -l walltime=01:00:00\n"
        "#PBS -A proj\n"
        "#PBS -h\n"
        "\n"
        "pbsdsh -- bash -l -c '/opt/hq worker start --idle-timeout \"11m\" --manager \"pbs\" --server-dir "
        "\"/d/001\" --cpus \"4\" --on-server-lost \"finish-running\" --time-limit \"1h\"'");
}

TEST_CASE("the directory of an allocation has its queue's id and name, and its number") {
  AllocParams params = plain(ManagerKind::kPbs);
  CHECK(allocation_directory("/d/001", AllocQueueId(4), params, 12) == "/d/001/autoalloc/4/012");
  params.name = "foo";
  CHECK(allocation_directory("/d/001", AllocQueueId(4), params, 1234) == "/d/001/autoalloc/4-foo/1234");
}
