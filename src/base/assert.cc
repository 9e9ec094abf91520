#include "hq/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace hq {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "hq: internal error at %s:%d: '%s' does not hold\n", file, line, condition);
  std::abort();
}

}  // namespace hq
