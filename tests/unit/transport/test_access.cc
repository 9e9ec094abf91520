#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "hq/base/unique_fd.h"
#include "hq/transport/access.h"
#include "support/temp_dir.h"

using namespace hq;
using hq::test::TempDir;

namespace {

const RunningVersion kRunning{"1.0.0-dev", ProtocolRange{1, 2}};
const RunningVersion kOld{"0.26.2-dev", std::nullopt};

std::string a64(char c) {
  return std::string(64, c);
}

AccessRecord known_record() {
  AccessRecord record;
  record.version = "1.0.0-dev";
  record.server_uid = "SrvUID";
  for (Role role : {Role::kClient, Role::kWorker}) {
    RoleAccess& part = record.part(role).emplace();
    part.host = "n1";
    part.port = role == Role::kClient ? 5001 : 5002;
    part.secret_key = SecretKey::from_hex(a64(role == Role::kClient ? 'a' : 'b'));
    part.server_secret_key = SecretKey::from_hex(a64(role == Role::kClient ? 'c' : 'd'));
    part.server_public_key = PublicKey::from_hex(a64(role == Role::kClient ? 'e' : 'f'));
  }
  record.addresses = {"10.0.0.1", "fd00::1"};
  record.protocol = ProtocolRange{1, 1};
  return record;
}

const char* kFullText = R"({
  "version": "1.0.0-dev",
  "server_uid": "SrvUID",
  "client": {
    "host": "n1",
    "port": 5001,
    "secret_key": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "server_public_key": "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
    "server_secret_key": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
  },
  "worker": {
    "host": "n1",
    "port": 5002,
    "secret_key": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "server_public_key": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "server_secret_key": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
  },
  "addresses": [
    "10.0.0.1",
    "fd00::1"
  ],
  "protocol": {
    "min": 1,
    "max": 1
  }
})";

std::string failure_of(std::string_view text, AccessForm form, const RunningVersion& running = kOld) {
  AccessOutcome outcome = parse_access(text, form, running);
  auto* failure = std::get_if<AccessFailure>(&outcome);
  return failure == nullptr ? "" : failure->text;
}

std::string content_of(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

// As the original writes it for one role.
std::string role_text(const std::string& role, const std::string& key) {
  return "{\n  \"version\": \"0.26.2-dev\",\n  \"" + role +
         "\": {\n    \"host\": \"n1\",\n    \"port\": 5001,\n    \"secret_key\": " + key + "\n  }\n}";
}

}  // namespace

TEST_CASE("a full access record is written key by key in a fixed order, without a final newline") {
  CHECK(access_text(known_record()) == kFullText);
}

TEST_CASE("a record that was written is read again") {
  AccessRecord made = generate_access(kRunning, "abcdef", {"h1", 1, true}, {"h2", 2, true});
  made.addresses = {"10.1.2.3"};

  AccessOutcome outcome = parse_access(access_text(made), AccessForm::kFull, kRunning);

  auto* read = std::get_if<AccessRecord>(&outcome);
  REQUIRE(read != nullptr);
  CHECK(access_text(*read) == access_text(made));
}

TEST_CASE("the part of one role has neither the other role's keys nor the server's secret") {
  AccessRecord full = known_record();

  AccessRecord client = split_access(full, Role::kClient);

  CHECK_FALSE(client.worker);
  CHECK_FALSE(client.client->server_secret_key);
  CHECK(client.client->server_public_key == full.client->server_public_key);
  CHECK(access_text(client).find("server_uid") == std::string::npos);
  CHECK(failure_of(access_text(client), AccessForm::kClient, kRunning) == "");
  CHECK(failure_of(access_text(client), AccessForm::kWorker, kRunning).find("missing field `worker`") !=
        std::string::npos);
}

TEST_CASE("roles without protection have a null key and no server keys") {
  AccessRecord record = generate_access(kRunning, "abcdef", {"h", 1, false}, {"h", 2, false});

  CHECK(access_text(record).find("\"secret_key\": null\n") != std::string::npos);
  CHECK(access_text(record).find("server_public_key") == std::string::npos);
  CHECK(failure_of(access_text(record), AccessForm::kFull, kRunning) == "");
}

TEST_CASE("what is wrong with an access file is said in the original's words") {
  const std::string worker = role_text("worker", "null");
  const std::string client = role_text("client", "\"xyz\"");

  CHECK(failure_of(worker, AccessForm::kClient) ==
        "Serialization error: missing field `client` at line 8 column 1");
  CHECK(failure_of(role_text("client", "null"), AccessForm::kFull) ==
        "Serialization error: missing field `worker` at line 8 column 1");
  CHECK(failure_of(client, AccessForm::kClient) ==
        "Serialization error: Could not load secret key Could not deserialize secret key at line 7 column 3");
  CHECK(failure_of("no json\n", AccessForm::kClient) ==
        "Serialization error: expected ident at line 1 column 2");
  CHECK(failure_of("", AccessForm::kClient) ==
        "Serialization error: EOF while parsing a value at line 1 column 0");
  CHECK(failure_of("{}", AccessForm::kClient) ==
        "Serialization error: missing field `version` at line 1 column 2");
}

TEST_CASE("wrong types, too large numbers and odd values fail without showing keys") {
  const std::string key = "\"" + a64('a') + "\"";
  for (const std::string& text :
       {std::string("[1]"), std::string("3"), std::string("{\"version\": 3}"),
        std::string("{\"version\": \"0.26.2-dev\", \"client\": 3}"), role_text("client", "3"),
        role_text("client", key),
        std::string(R"({"version":"0.26.2-dev","client":{"host":"a","port":70000}})"),
        std::string(R"({"version":"0.26.2-dev","client":{"host":"a","port":-1}})"),
        role_text("client", key + ",")}) {
    CAPTURE(text);
    std::string failure = failure_of(text, AccessForm::kClient);
    CHECK(failure.starts_with("Serialization error: "));
    CHECK(failure.find("aaaa") == std::string::npos);
  }
}

TEST_CASE("a key of another length is accepted by the file and marked as unusable") {
  std::string text = role_text("client", "\"abcd\", \"server_public_key\": \"" + a64('e') + "\"");

  AccessOutcome outcome = parse_access(text, AccessForm::kClient, kOld);

  auto* record = std::get_if<AccessRecord>(&outcome);
  REQUIRE(record != nullptr);
  CHECK(record->client->secret_key_unusable);
  CHECK_FALSE(record->client->secret_key);
}

TEST_CASE("unknown keys are tolerated, and the other role's part may be broken") {
  std::string text = role_text("client", "null");
  text.insert(1, R"("other": {"a": [1, "}\"{"]}, "worker": {"port": "?"},)");

  CHECK(failure_of(text, AccessForm::kClient) == "");
  CHECK(failure_of(text, AccessForm::kWorker) != "");
}

TEST_CASE("without a protocol range the versions must be equal") {
  std::string text = role_text("client", "null");

  AccessOutcome outcome = parse_access(text, AccessForm::kClient, kRunning);

  auto* failure = std::get_if<AccessFailure>(&outcome);
  REQUIRE(failure != nullptr);
  CHECK(failure->kind == AccessFailure::Kind::kVersion);
  CHECK(failure->error().message ==
        "Version error: Hyperqueue version mismatch detected.\n"
        "Access record contains version 0.26.2-dev, but the current version is 1.0.0-dev.");
}

TEST_CASE("with protocol ranges another version is fine if they overlap") {
  AccessRecord record = known_record();
  record.version = "9.9.9";
  record.protocol = ProtocolRange{2, 3};
  CHECK(failure_of(access_text(record), AccessForm::kFull, kRunning) == "");

  record.protocol = ProtocolRange{3, 4};
  CHECK(failure_of(access_text(record), AccessForm::kFull, kRunning)
            .starts_with("Hyperqueue version mismatch"));
}

TEST_CASE("the file has mode 0400 whatever the umask is, and nothing is left beside it") {
  TempDir dir;
  mode_t before = ::umask(0777);

  Result<void> stored = store_access(dir / "access.json", known_record());

  ::umask(before);
  REQUIRE(stored.ok());
  struct stat info {};
  REQUIRE(::stat((dir / "access.json").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0400);
  CHECK(info.st_nlink == 1);
  CHECK(content_of(dir / "access.json") == kFullText);
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("storing does not overwrite unless it was asked to") {
  TempDir dir;
  REQUIRE(store_access(dir / "a.json", known_record()).ok());
  AccessRecord other = known_record();
  other.server_uid = "OtherU";

  Result<void> again = store_access(dir / "a.json", other);
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().message == "File exists (os error 17)");
  CHECK(content_of(dir / "a.json") == kFullText);

  CHECK(store_access(dir / "a.json", other, StoreMode::kReplace).ok());
  CHECK(content_of(dir / "a.json") == access_text(other));
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("what is stored already is not written again, unless others may read it") {
  TempDir dir;
  const std::string path = dir / "a.json";
  auto stored_as = [&] {
    REQUIRE(store_access(path, known_record(), StoreMode::kReplace).ok());
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0400);
    // Held open, so that no other file gets its number.
    const int held = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(held >= 0);
    return std::pair(UniqueFd(held), info.st_ino);
  };
  const auto first = stored_as();
  CHECK(stored_as().second == first.second);

  REQUIRE(::chmod(path.c_str(), 0444) == 0);
  CHECK(stored_as().second != first.second);
}

TEST_CASE("a missing directory or file is the system's error") {
  TempDir dir;

  CHECK(store_access(dir / "x/a.json", known_record()).error().message ==
        "No such file or directory (os error 2)");
  AccessOutcome outcome = load_access(dir / "none.json", AccessForm::kFull, kRunning);
  auto* failure = std::get_if<AccessFailure>(&outcome);
  REQUIRE(failure != nullptr);
  CHECK(failure->kind == AccessFailure::Kind::kFile);
  CHECK(failure->text == "No such file or directory (os error 2)");
}

TEST_CASE("usable addresses are numeric and not of the loopback interface unless that is named") {
  for (const std::string& address : usable_addresses()) {
    CHECK(address.find_first_not_of("0123456789abcdef:.") == std::string::npos);
    CHECK(address != "127.0.0.1");
  }
  std::vector<std::string> loopback = usable_addresses("lo");
  CHECK(std::count(loopback.begin(), loopback.end(), std::string("127.0.0.1")) == 1);
}
