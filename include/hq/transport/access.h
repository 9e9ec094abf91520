// The access record (docs/security.md): where the server listens and the keys that open it. It is a JSON file
// of mode 0400; whoever can read it may do what its parts allow, so texts made from it never contain a secret
// key.
//
// A role's secret_key is the CURVE secret key that all clients (or all workers) use; the server admits only
// the public key derived from it. The server's own key pair is independent of it, so that the holder of a
// client file can't play the server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hq/base/result.h"
#include "hq/transport/keys.h"

namespace hq {

enum class Role { kClient, kWorker };
[[nodiscard]] const char* role_name(Role role);  // "client", "worker"

struct RoleAccess {
  std::string host;
  uint16_t port = 0;
  // Nothing ("null" in the file): connections are neither authenticated nor encrypted.
  std::optional<SecretKey> secret_key;
  // The file has a key in hexadecimal digits, but of another length: every attempt to connect fails.
  bool secret_key_unusable = false;
  std::optional<PublicKey> server_public_key;
  std::optional<SecretKey> server_secret_key;  // in the full form only
};

struct ProtocolRange {
  uint32_t min = 0;
  uint32_t max = 0;
  friend bool operator==(const ProtocolRange&, const ProtocolRange&) = default;
};

struct AccessRecord {
  std::string version;
  std::string server_uid;  // "" in the forms for one role
  std::optional<RoleAccess> client;
  std::optional<RoleAccess> worker;
  // Numeric addresses of the server's interfaces, tried after the host name.
  std::vector<std::string> addresses;
  std::optional<ProtocolRange> protocol;

  [[nodiscard]] const std::optional<RoleAccess>& part(Role role) const {
    return role == Role::kClient ? client : worker;
  }
  [[nodiscard]] std::optional<RoleAccess>& part(Role role) { return role == Role::kClient ? client : worker; }
};

// What the running program is, for the check of versions: with a protocol range in the file the ranges must
// overlap; without one the versions must be equal.
struct RunningVersion {
  std::string version;
  std::optional<ProtocolRange> protocol;
};

// Which parts a reader needs; others may be missing.
enum class AccessForm { kClient, kWorker, kFull };

struct AccessFailure {
  enum class Kind { kFile, kContent, kVersion };
  Kind kind = Kind::kFile;
  std::string text;  // without "Version error: ", with "Serialization error: "
  // As server and workers print it.
  [[nodiscard]] Error error() const;
};
using AccessOutcome = std::variant<AccessRecord, AccessFailure>;

struct RoleEndpoint {
  std::string host;
  uint16_t port = 0;
  bool protect = true;  // false: no keys
};

// A full record with fresh keys.
[[nodiscard]] AccessRecord generate_access(const RunningVersion& running, std::string server_uid,
                                           const RoleEndpoint& client, const RoleEndpoint& worker);
// The part of a full record that peers of one role get. REQUIRES: that part is there.
[[nodiscard]] AccessRecord split_access(const AccessRecord& full, Role role);

[[nodiscard]] std::string access_text(const AccessRecord& record);
[[nodiscard]] AccessOutcome parse_access(std::string_view text, AccessForm form,
                                         const RunningVersion& running);

enum class StoreMode {
  kExclusive,  // an existing file is the error "File exists (os error 17)"
  kReplace,    // one that is so already is left, so that a full disk does no harm
};
// Writes the file with mode 0400 and syncs it; a reader sees the whole file or none.
Result<void> store_access(const std::string& path, const AccessRecord& record,
                          StoreMode mode = StoreMode::kExclusive);
[[nodiscard]] AccessOutcome load_access(const std::string& path, AccessForm form,
                                        const RunningVersion& running);

// Numeric addresses of the interfaces that are up, without loopback and link-local ones, IPv4 first;
// only those of `interface` when that is not empty.
[[nodiscard]] std::vector<std::string> usable_addresses(const std::string& interface = "");

}  // namespace hq
