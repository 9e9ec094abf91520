#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "hq/transport/server_dir.h"
#include "support/temp_dir.h"

using namespace hq;
using hq::test::TempDir;
namespace fs = std::filesystem;

namespace {

const RunningVersion kRunningHere{"1.0.0-dev", ProtocolRange{1, 1}};

AccessRecord any_record() {
  return generate_access(kRunningHere, "abcdef", {"n1", 1, true}, {"n1", 2, true});
}

unsigned mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

}  // namespace

TEST_CASE("the first numbered directory is 001, and all new directories are private") {
  TempDir temp;
  ServerDir dir{temp / "a/b", false};

  Result<std::string> made = create_numbered_dir(dir);

  REQUIRE(made.ok());
  CHECK(*made == temp / "a/b/001");
  CHECK(mode_of(temp / "a") == 0700);
  CHECK(mode_of(temp / "a/b") == 0700);
  CHECK(mode_of(*made) == 0700);
}

TEST_CASE("the next number is one more than the highest, however many digits it has") {
  TempDir temp;
  for (const char* name : {"001", "7", "abc", "12x", "0999"}) fs::create_directory(temp / name);
  std::ofstream(temp / "5000") << "a file";
  ServerDir dir{temp.path(), false};

  CHECK(*create_numbered_dir(dir) == temp / "1000");
  CHECK(*create_numbered_dir(dir) == temp / "1001");
}

TEST_CASE("a number that is taken by a file is skipped") {
  TempDir temp;
  std::ofstream(temp / "001") << "a file";

  CHECK(*create_numbered_dir({temp.path(), false}) == temp / "002");
}

TEST_CASE("a file in the place of the server directory is 'Not a directory'") {
  TempDir temp;
  std::ofstream(temp / "afile") << "x";

  CHECK(create_numbered_dir({temp / "afile", false}).error().message == "Not a directory (os error 20)");
}

TEST_CASE("hq-current follows the newest server and is removed only by the one it names") {
  TempDir temp;
  ServerDir dir{temp.path(), false};
  std::string first = *create_numbered_dir(dir);
  std::string second = *create_numbered_dir(dir);

  REQUIRE(set_current(dir, first).ok());
  REQUIRE(set_current(dir, second).ok());
  CHECK(fs::read_symlink(temp / "hq-current") == second);
  CHECK(*active_dir(dir) == temp / "hq-current");

  CHECK(clear_current(dir, first).ok());
  CHECK(fs::is_symlink(temp / "hq-current"));
  CHECK(clear_current(dir, second).ok());
  CHECK_FALSE(fs::is_symlink(fs::symlink_status(temp / "hq-current")));
  CHECK(clear_current(dir, second).ok());
  CHECK(*active_dir(dir) == temp.path());
}

TEST_CASE("a dangling hq-current counts as none") {
  TempDir temp;
  fs::create_symlink(temp / "gone", temp / "hq-current");

  CHECK(*active_dir({temp.path(), false}) == temp.path());
}

TEST_CASE("a missing server directory is told to clients and workers in their words") {
  TempDir temp;
  ServerDir dir{temp / "nodir", false};

  CHECK(load_client_access(dir, kRunningHere).error().full_text() ==
        "Invalid server directory\n\nCaused by:\n    Error: \"" + dir.path + "\" is not a directory");
  CHECK(load_worker_access(dir, kRunningHere).error().full_text() ==
        "Cannot load server directory\n\nCaused by:\n    Error: \"" + dir.path + "\" is not a directory");
}

TEST_CASE("without an access file there is advice, with the directory only when it is not the default") {
  TempDir temp;

  CHECK(load_client_access({temp.path(), false}, kRunningHere).error().full_text() ==
        "No running instance of HQ found at \"" + temp.path() +
            "\".\nTry to start the server: `hq server start " + "--server-dir " + temp.path() +
            "` or use a different server directory.\n\nCaused by:\n" +
            "    No such file or directory (os error 2)");
  CHECK(load_client_access({temp.path(), true}, kRunningHere).error().message ==
        "No running instance of HQ found at \"" + temp.path() +
            "\".\nTry to start the server: `hq server start` or use a different server directory.");
  CHECK(load_worker_access({temp.path(), false}, kRunningHere).error().full_text() ==
        "Cannot load access record from \"" + temp.path() +
            "/access.json\"\n\nCaused by:\n    No such file or directory (os error 2)");
}

TEST_CASE("a version mismatch stands alone for clients and is a cause for workers") {
  TempDir temp;
  AccessRecord record = any_record();
  record.version = "0.26.1";
  record.protocol.reset();
  REQUIRE(store_access(temp / "access.json", record).ok());
  ServerDir dir{temp.path(), false};

  CHECK(load_client_access(dir, kRunningHere).error().full_text() ==
        "Hyperqueue version mismatch detected.\n"
        "Access record contains version 0.26.1, but the current version is 1.0.0-dev.");
  CHECK(load_worker_access(dir, kRunningHere).error().full_text() ==
        "Cannot load access record from \"" + temp.path() + "/access.json\"\n\nCaused by:\n" +
            "    Version error: Hyperqueue version mismatch detected.\n"
            "    Access record contains version 0.26.1, but the current version is 1.0.0-dev.");
  CHECK(load_server_access(temp / "access.json", kRunningHere).error().message ==
        "Version error: Hyperqueue version mismatch detected.\n"
        "Access record contains version 0.26.1, but the current version is 1.0.0-dev.");
}

TEST_CASE("a directory with an access file serves clients directly or through hq-current") {
  TempDir temp;
  ServerDir dir{temp.path(), false};
  std::string numbered = *create_numbered_dir(dir);
  REQUIRE(store_access(access_file_of(numbered), any_record()).ok());
  REQUIRE(set_current(dir, numbered).ok());

  CHECK(load_client_access(dir, kRunningHere).ok());
  CHECK(load_client_access({numbered, false}, kRunningHere).ok());
  CHECK(load_worker_access({temp / "hq-current", false}, kRunningHere).ok());
}

TEST_CASE("an unreachable or already running server is named with its directory") {
  RoleAccess server;
  server.host = "n1";
  server.port = 5001;

  CHECK(unreachable_error({"/d", false}, server, refusal_causes("Cannot verify challenge")).full_text() ==
        "Access token found but HQ server n1:5001 is unreachable.\n"
        "Try to (re)start the server using `hq server start --server-dir /d`\n\nCaused by:\n"
        "    0: Tako error: Cannot verify challenge\n    1: Cannot verify challenge");
  CHECK(unreachable_error({"/d", true}, server, {"Connection refused (os error 111)"}).full_text() ==
        "Access token found but HQ server n1:5001 is unreachable.\n"
        "Try to (re)start the server using `hq server start`\n\nCaused by:\n"
        "    Connection refused (os error 111)");
  CHECK(already_online_error({"/d", true}).message ==
        "Server at /d is already online, please stop it first using `hq server stop --server-dir /d`");
}
