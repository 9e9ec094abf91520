// The error text of a failed Result; "(accepted)" when it did not fail.
#pragma once

#include <string>

#include "hq/base/result.h"

namespace hq {

template <class T>
std::string message(const Result<T>& result) {
  return result ? "(accepted)" : result.error().message;
}

}  // namespace hq
