// The text of the access record. The only file that sees the JSON library.
#include "hq/transport/access.h"

#include <map>
#include <nlohmann/json.hpp>

#include "hq/base/assert.h"

namespace hq {

namespace {

using Json = nlohmann::ordered_json;

struct Position {
  size_t line = 1;
  size_t column = 0;  // characters of the line up to and including the one meant
  [[nodiscard]] std::string text() const {
    return " at line " + std::to_string(line) + " column " + std::to_string(column);
  }
};

Position position_of(std::string_view text, size_t count) {
  Position at;
  for (char c : text.substr(0, count)) {
    if (c == '\n') {
      ++at.line;
      at.column = 0;
    } else {
      ++at.column;
    }
  }
  return at;
}

// Where the record and the objects directly in it end; errors about a field are reported at the end of its
// object.
struct Ends {
  Position record;
  std::map<std::string, Position, std::less<>> parts;
};

// REQUIRES: `text` is valid JSON.
Ends find_ends(std::string_view text) {
  Ends ends;
  std::string last_string;
  std::string part;
  size_t depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      size_t begin = ++i;
      while (text[i] != '"') i += text[i] == '\\' ? 2 : 1;
      if (depth == 1) last_string = text.substr(begin, i - begin);
    } else if (c == '{' || c == '[') {
      if (++depth == 2) part = last_string;
    } else if (c == '}' || c == ']') {
      if (depth == 2) ends.parts[part] = position_of(text, i + 1);
      if (--depth == 0) ends.record = position_of(text, i + 1);
    }
  }
  return ends;
}

AccessFailure content_failure(const std::string& what, const Position& at) {
  return {AccessFailure::Kind::kContent, "Serialization error: " + what + at.text()};
}

AccessFailure syntax_failure(std::string_view text, size_t byte) {
  if (byte > text.size()) return content_failure("EOF while parsing a value", position_of(text, text.size()));
  Position at = position_of(text, byte);
  // The parser stops inside a word such as `nul`: then the word was meant to be a literal.
  size_t begin = byte == 0 ? 0 : byte - 1;
  while (begin > 0 && text[begin - 1] >= 'a' && text[begin - 1] <= 'z') --begin;
  bool literal = begin + 1 < byte && (text[begin] == 'n' || text[begin] == 't' || text[begin] == 'f');
  return content_failure(literal ? "expected ident" : "expected value", at);
}

// Reads fields and remembers the first failure.
class Reader {
 public:
  Reader(const Json& object, const Position& end) : object_(object), end_(end) {}

  const Json* find(const char* name) const {
    auto it = object_.find(name);
    return it == object_.end() ? nullptr : &*it;
  }
  const Json* get(const char* name) {
    const Json* value = find(name);
    if (value == nullptr) fail(std::string("missing field `") + name + "`");
    return value;
  }
  void read_string(const char* name, std::string& out) {
    const Json* value = get(name);
    if (value == nullptr) return;
    if (value->is_string()) {
      out = value->get<std::string>();
    } else {
      fail_type(*value, "a string");
    }
  }
  template <class Int>
  void read_integer(const char* name, const char* expected, Int& out) {
    const Json* value = get(name);
    if (value == nullptr) return;
    if (!value->is_number_unsigned()) return fail_type(*value, expected);
    uint64_t number = value->get<uint64_t>();
    if (number > std::numeric_limits<Int>::max()) {
      return fail("invalid value: integer `" + std::to_string(number) + "`, expected " + expected);
    }
    out = static_cast<Int>(number);
  }
  void fail(const std::string& what) {
    if (!failure_) failure_ = content_failure(what, end_);
  }
  void fail_type(const Json& value, const char* expected) {
    fail(std::string("invalid type: ") + value.type_name() + ", expected " + expected);
  }
  const std::optional<AccessFailure>& failure() const { return failure_; }

 private:
  const Json& object_;
  Position end_;
  std::optional<AccessFailure> failure_;
};

bool is_hex(std::string_view text) {
  return text.size() % 2 == 0 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

constexpr const char* kBadSecret = "Could not load secret key Could not deserialize secret key";

void read_role_key(Reader& reader, RoleAccess& role) {
  const Json* key = reader.get("secret_key");
  if (key == nullptr || key->is_null()) return;
  if (!key->is_string()) return reader.fail_type(*key, "a string");
  const std::string& text = key->get_ref<const std::string&>();
  if (!is_hex(text)) return reader.fail(kBadSecret);
  role.secret_key = SecretKey::from_hex(text);
  role.secret_key_unusable = !role.secret_key;
}

void read_server_keys(Reader& reader, AccessForm form, RoleAccess& role) {
  bool keyed = role.secret_key.has_value() || role.secret_key_unusable;
  if (const Json* key = reader.find("server_secret_key"); key != nullptr && !key->is_null()) {
    role.server_secret_key =
        key->is_string() ? SecretKey::from_hex(key->get_ref<const std::string&>()) : std::nullopt;
    if (!role.server_secret_key) return reader.fail(kBadSecret);
    role.server_public_key = role.server_secret_key->public_key();
  }
  if (form == AccessForm::kFull && keyed && !role.server_secret_key) {
    return reader.fail("missing field `server_secret_key`");
  }
  if (role.server_public_key) return;
  if (const Json* key = reader.find("server_public_key"); key != nullptr && !key->is_null()) {
    role.server_public_key =
        key->is_string() ? PublicKey::from_hex(key->get_ref<const std::string&>()) : std::nullopt;
    if (!role.server_public_key) return reader.fail("Could not load the server's public key");
  }
  if (keyed && !role.server_public_key) reader.fail("missing field `server_public_key`");
}

struct Parsing {
  const Json& root;
  const Ends& ends;
  AccessForm form;

  Position end_of(const char* name) const {
    auto it = ends.parts.find(name);
    return it == ends.parts.end() ? ends.record : it->second;
  }

  [[nodiscard]] bool has(const char* name) const {
    auto it = root.find(name);
    return it != root.end() && !it->is_null();
  }

  // A part that is not there; told before what may be wrong inside of the other.
  [[nodiscard]] std::optional<AccessFailure> missing_part() const {
    for (const char* name : {"client", "worker"}) {
      const bool needed = form == AccessForm::kFull || (form == AccessForm::kClient) == (name[0] == 'c');
      if (needed && !has(name)) {
        return content_failure(std::string("missing field `") + name + "`", ends.record);
      }
    }
    return std::nullopt;
  }

  std::optional<AccessFailure> read_role(const char* name, bool needed,
                                         std::optional<RoleAccess>& out) const {
    if (!has(name)) return std::nullopt;
    auto it = root.find(name);
    Reader reader(*it, end_of(name));
    RoleAccess role;
    if (it->is_object()) {
      reader.read_string("host", role.host);
      reader.read_integer("port", "u16", role.port);
      read_role_key(reader, role);
      read_server_keys(reader, form, role);
    } else {
      reader.fail_type(*it, "an object");
    }
    // A part that this reader does not need must not stop it.
    if (reader.failure() && !needed) return std::nullopt;
    if (reader.failure()) return reader.failure();
    out = std::move(role);
    return std::nullopt;
  }

  std::optional<AccessFailure> read_addresses(AccessRecord& record) const {
    auto it = root.find("addresses");
    if (it == root.end() || it->is_null()) return std::nullopt;
    Reader reader(root, end_of("addresses"));
    if (!it->is_array()) {
      reader.fail_type(*it, "a sequence");
      return reader.failure();
    }
    for (const Json& address : *it) {
      if (address.is_string()) {
        record.addresses.push_back(address.get<std::string>());
      } else {
        reader.fail_type(address, "a string");
      }
    }
    return reader.failure();
  }

  std::optional<AccessFailure> read_protocol(AccessRecord& record) const {
    auto it = root.find("protocol");
    if (it == root.end() || it->is_null()) return std::nullopt;
    Reader reader(*it, end_of("protocol"));
    ProtocolRange range;
    if (it->is_object()) {
      reader.read_integer("min", "u32", range.min);
      reader.read_integer("max", "u32", range.max);
    } else {
      reader.fail_type(*it, "an object");
    }
    record.protocol = range;
    return reader.failure();
  }
};

std::optional<AccessFailure> version_failure(const AccessRecord& record, const RunningVersion& running) {
  bool fits = record.version == running.version;
  if (record.protocol && running.protocol) {
    fits = record.protocol->min <= running.protocol->max && running.protocol->min <= record.protocol->max;
  }
  if (fits) return std::nullopt;
  return AccessFailure{AccessFailure::Kind::kVersion,
                       "Hyperqueue version mismatch detected.\nAccess record contains version " +
                           record.version + ", but the current version is " + running.version + "."};
}

Json role_json(const RoleAccess& role) {
  Json json;
  json["host"] = role.host;
  json["port"] = role.port;
  json["secret_key"] = role.secret_key ? Json(role.secret_key->reveal_hex()) : Json(nullptr);
  if (role.server_public_key) json["server_public_key"] = role.server_public_key->hex();
  if (role.server_secret_key) json["server_secret_key"] = role.server_secret_key->reveal_hex();
  return json;
}

RoleAccess make_role(const RoleEndpoint& endpoint) {
  RoleAccess role;
  role.host = endpoint.host;
  role.port = endpoint.port;
  if (!endpoint.protect) return role;
  role.secret_key = SecretKey::generate();
  role.server_secret_key = SecretKey::generate();
  role.server_public_key = role.server_secret_key->public_key();
  return role;
}

AccessOutcome read_record(const Json& root, std::string_view text, AccessForm form,
                          const RunningVersion& running) {
  Ends ends = find_ends(text);
  Parsing parsing{root, ends, form};
  AccessRecord record;
  Reader reader(root, ends.record);
  reader.read_string("version", record.version);
  if (reader.failure()) return *reader.failure();
  // The version comes before all else: another version may have other fields.
  if (auto failure = parsing.read_protocol(record)) return *failure;
  if (auto failure = version_failure(record, running)) return *failure;
  if (auto failure = parsing.missing_part()) return *failure;
  if (auto failure = parsing.read_role("client", form != AccessForm::kWorker, record.client)) return *failure;
  if (auto failure = parsing.read_role("worker", form != AccessForm::kClient, record.worker)) return *failure;
  if (form == AccessForm::kFull || reader.find("server_uid") != nullptr) {
    reader.read_string("server_uid", record.server_uid);
  }
  if (reader.failure()) return *reader.failure();
  if (auto failure = parsing.read_addresses(record)) return *failure;
  return record;
}

}  // namespace

const char* role_name(Role role) {
  return role == Role::kClient ? "client" : "worker";
}

Error AccessFailure::error() const {
  return Error(kind == Kind::kVersion ? "Version error: " + text : text);
}

AccessRecord generate_access(const RunningVersion& running, std::string server_uid,
                             const RoleEndpoint& client, const RoleEndpoint& worker) {
  AccessRecord record;
  record.version = running.version;
  record.server_uid = std::move(server_uid);
  record.client = make_role(client);
  record.worker = make_role(worker);
  record.protocol = running.protocol;
  return record;
}

AccessRecord split_access(const AccessRecord& full, Role role) {
  HQ_ASSERT(full.part(role).has_value());
  AccessRecord record;
  record.version = full.version;
  record.part(role) = full.part(role);
  record.part(role)->server_secret_key.reset();
  record.addresses = full.addresses;
  record.protocol = full.protocol;
  return record;
}

std::string access_text(const AccessRecord& record) {
  Json json;
  json["version"] = record.version;
  if (!record.server_uid.empty()) json["server_uid"] = record.server_uid;
  if (record.client) json["client"] = role_json(*record.client);
  if (record.worker) json["worker"] = role_json(*record.worker);
  if (!record.addresses.empty()) json["addresses"] = record.addresses;
  if (record.protocol) json["protocol"] = {{"min", record.protocol->min}, {"max", record.protocol->max}};
  // Strings that are no UTF-8 (a host name of another charset) must not stop the server.
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

AccessOutcome parse_access(std::string_view text, AccessForm form, const RunningVersion& running) {
  try {
    Json root = Json::parse(text);
    if (!root.is_object()) {
      return content_failure(std::string("invalid type: ") + root.type_name() + ", expected an object",
                             position_of(text, text.size()));
    }
    return read_record(root, text, form, running);
  } catch (const Json::parse_error& error) {
    return syntax_failure(text, error.byte);
  } catch (const Json::exception&) {
    // The library's texts may quote the input, which holds keys.
    return content_failure("invalid value", position_of(text, text.size()));
  }
}

}  // namespace hq
