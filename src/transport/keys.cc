#include "hq/transport/keys.h"

#include <sodium.h>

#include <zmq.hpp>

#include "hq/base/assert.h"

namespace hq {

namespace {

using KeyBytes = std::array<uint8_t, kKeyBytes>;
constexpr size_t kZ85Length = 40;

std::optional<KeyBytes> bytes_of_hex(std::string_view hex) {
  KeyBytes bytes{};
  size_t length = 0;
  if (hex.size() != 2 * kKeyBytes) return std::nullopt;
  if (sodium_hex2bin(bytes.data(), bytes.size(), hex.data(), hex.size(), nullptr, &length, nullptr) != 0 ||
      length != kKeyBytes) {
    return std::nullopt;
  }
  return bytes;
}

std::optional<KeyBytes> bytes_of_z85(std::string_view z85) {
  KeyBytes bytes{};
  if (z85.size() != kZ85Length) return std::nullopt;
  if (zmq_z85_decode(bytes.data(), std::string(z85).c_str()) == nullptr) return std::nullopt;
  return bytes;
}

std::string hex_of(const KeyBytes& bytes) {
  char text[2 * kKeyBytes + 1];
  sodium_bin2hex(text, sizeof text, bytes.data(), bytes.size());
  return text;
}

std::string z85_of(const KeyBytes& bytes) {
  char text[kZ85Length + 1];
  HQ_ASSERT(zmq_z85_encode(text, bytes.data(), bytes.size()) != nullptr);
  return text;
}

}  // namespace

std::optional<PublicKey> PublicKey::from_hex(std::string_view hex) {
  std::optional<KeyBytes> bytes = bytes_of_hex(hex);
  if (!bytes) return std::nullopt;
  return PublicKey{*bytes};
}

std::optional<PublicKey> PublicKey::from_z85(std::string_view z85) {
  std::optional<KeyBytes> bytes = bytes_of_z85(z85);
  if (!bytes) return std::nullopt;
  return PublicKey{*bytes};
}

std::string PublicKey::hex() const {
  return hex_of(bytes);
}
std::string PublicKey::z85() const {
  return z85_of(bytes);
}

SecretKey SecretKey::generate() {
  HQ_ASSERT(sodium_init() >= 0);
  SecretKey key;
  KeyBytes public_bytes{};
  HQ_ASSERT(crypto_box_keypair(public_bytes.data(), key.bytes_.data()) == 0);
  return key;
}

std::optional<SecretKey> SecretKey::from_hex(std::string_view hex) {
  std::optional<KeyBytes> bytes = bytes_of_hex(hex);
  if (!bytes) return std::nullopt;
  SecretKey key;
  key.bytes_ = *bytes;
  sodium_memzero(bytes->data(), bytes->size());
  return key;
}

std::optional<SecretKey> SecretKey::from_z85(std::string_view z85) {
  std::optional<KeyBytes> bytes = bytes_of_z85(z85);
  if (!bytes) return std::nullopt;
  SecretKey key;
  key.bytes_ = *bytes;
  sodium_memzero(bytes->data(), bytes->size());
  return key;
}

SecretKey::~SecretKey() {
  sodium_memzero(bytes_.data(), bytes_.size());
}

PublicKey SecretKey::public_key() const {
  PublicKey key;
  HQ_ASSERT(crypto_scalarmult_base(key.bytes.data(), bytes_.data()) == 0);
  return key;
}

std::string SecretKey::reveal_hex() const {
  return hex_of(bytes_);
}
std::string SecretKey::reveal_z85() const {
  return z85_of(bytes_);
}

bool operator==(const SecretKey& a, const SecretKey& b) {
  return sodium_memcmp(a.bytes_.data(), b.bytes_.data(), kKeyBytes) == 0;
}

}  // namespace hq
