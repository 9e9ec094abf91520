#include <doctest/doctest.h>

#include <sstream>
#include <type_traits>

#include "hq/transport/keys.h"

using namespace hq;

namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};
static_assert(!Streamable<SecretKey>, "a secret key must have no way into a text but reveal_...");
static_assert(!std::is_convertible_v<SecretKey, std::string>);

// The key pair of the CurveZMQ documentation (zmq_curve(7)).
constexpr const char* kKnownPublic = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
constexpr const char* kKnownSecret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

}  // namespace

TEST_CASE("the public key is derived as libzmq does it") {
  std::optional<SecretKey> secret = SecretKey::from_z85(kKnownSecret);
  REQUIRE(secret);

  CHECK(secret->public_key().z85() == kKnownPublic);
}

TEST_CASE("a key survives its way through hexadecimal digits and Z85") {
  SecretKey secret = SecretKey::generate();
  PublicKey key = secret.public_key();

  CHECK(secret.reveal_hex().size() == 64);
  CHECK(*SecretKey::from_hex(secret.reveal_hex()) == secret);
  CHECK(*SecretKey::from_z85(secret.reveal_z85()) == secret);
  CHECK(*PublicKey::from_hex(key.hex()) == key);
  CHECK(*PublicKey::from_z85(key.z85()) == key);
}

TEST_CASE("two generated keys differ") {
  CHECK_FALSE(SecretKey::generate() == SecretKey::generate());
}

TEST_CASE("texts that are no key are refused") {
  CHECK_FALSE(SecretKey::from_hex(""));
  CHECK_FALSE(SecretKey::from_hex("abcd"));
  CHECK_FALSE(SecretKey::from_hex(std::string(63, 'a')));
  CHECK_FALSE(SecretKey::from_hex(std::string(66, 'a')));
  CHECK_FALSE(SecretKey::from_hex(std::string(63, 'a') + "x"));
  CHECK_FALSE(SecretKey::from_hex(std::string(62, 'a') + ":a"));
  CHECK_FALSE(PublicKey::from_z85("short"));
  CHECK_FALSE(PublicKey::from_z85(std::string(40, '"')));
}
