// CURVE keys (docs/security.md). A secret key is a type without any printing of its own: it leaves only
// through calls named reveal_..., which belong into access files and sockets and nowhere else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hq {

inline constexpr size_t kKeyBytes = 32;

struct PublicKey {
  std::array<uint8_t, kKeyBytes> bytes{};

  static std::optional<PublicKey> from_hex(std::string_view hex);
  static std::optional<PublicKey> from_z85(std::string_view z85);
  [[nodiscard]] std::string hex() const;
  // The 40 characters that ZeroMQ's own tools and bindings use.
  [[nodiscard]] std::string z85() const;
  friend bool operator==(const PublicKey&, const PublicKey&) = default;
};

class SecretKey {
 public:
  // From the kernel's generator.
  static SecretKey generate();
  static std::optional<SecretKey> from_hex(std::string_view hex);
  static std::optional<SecretKey> from_z85(std::string_view z85);

  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();  // wipes the bytes

  [[nodiscard]] PublicKey public_key() const;
  [[nodiscard]] std::string reveal_hex() const;
  [[nodiscard]] std::string reveal_z85() const;
  [[nodiscard]] const std::array<uint8_t, kKeyBytes>& reveal_bytes() const { return bytes_; }
  // In constant time.
  friend bool operator==(const SecretKey& a, const SecretKey& b);

 private:
  SecretKey() = default;
  std::array<uint8_t, kKeyBytes> bytes_{};
};

}  // namespace hq
