// Result<T>: how expected failure travels (docs/architecture.md, Errors). A value or an Error; the caller
// must look. Nothing of ours throws.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hq/base/assert.h"

namespace hq {

// What was tried, on which thing, why it did not work. `causes` go from the nearest to the root, and are
// printed below the message as "Caused by:".
struct Error {
  std::string message;
  std::vector<std::string> causes;

  Error() = default;
  explicit Error(std::string text) : message(std::move(text)) {}
  Error(std::string text, std::vector<std::string> why) : message(std::move(text)), causes(std::move(why)) {}

  // The same failure seen one level up: `text` becomes the message, the old message the first cause.
  [[nodiscard]] Error with_context(std::string text) && {
    causes.insert(causes.begin(), std::move(message));
    message = std::move(text);
    return std::move(*this);
  }

  // Message, then a blank line, "Caused by:" and the indented causes (numbered when there are several).
  [[nodiscard]] std::string full_text() const;
};

// An Error whose message is "<strerror text> (os error N)".
[[nodiscard]] Error os_error(int errnum);
[[nodiscard]] std::string os_error_text(int errnum);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : error_(std::move(error)) {}  // NOLINT
  explicit operator bool() const { return value_.has_value(); }
  [[nodiscard]] bool ok() const { return value_.has_value(); }
  T& operator*() & { return get(); }
  const T& operator*() const& { return const_cast<Result*>(this)->get(); }
  T&& operator*() && { return std::move(get()); }
  T* operator->() { return &get(); }
  const T* operator->() const { return &const_cast<Result*>(this)->get(); }
  Error& error() {
    HQ_ASSERT(!ok());
    return error_;
  }
  const Error& error() const {
    HQ_ASSERT(!ok());
    return error_;
  }

 private:
  T& get() {
    HQ_ASSERT(ok());
    return *value_;
  }
  std::optional<T> value_;
  Error error_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT
  explicit operator bool() const { return !error_; }
  [[nodiscard]] bool ok() const { return !error_; }
  Error& error() {
    HQ_ASSERT(error_);
    return *error_;
  }
  const Error& error() const {
    HQ_ASSERT(error_);
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace hq
