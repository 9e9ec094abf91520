#include "hq/core/text/id_array_text.h"

#include <algorithm>
#include <numeric>

#include "core/text/scanner.h"
#include "hq/core/text/parse_error.h"

namespace hq {

namespace {

using text::Number;
using text::Scanner;

constexpr std::string_view kRangeLabel = "Integer range";

Result<uint32_t> number(Scanner& in, std::string_view label) {
  const auto found = in.number();
  if (!found) return in.unexpected("number", {});
  if (!found->value) return in.refused(found->at, label, text::kNotU32);
  return *found->value;
}

// What could follow directly is added to `next`.
Result<IdArray::Part> range(Scanner& in, std::vector<std::string>& next) {
  const size_t begin = in.position();
  const auto first = number(in, "start");
  if (!first) return first.error();
  if (!in.take('-')) {
    next.push_back("-");
    return IdArray::Part{{*first, *first, 1}, *first};
  }
  const auto bound = number(in, "end");
  if (!bound) return bound.error();
  uint32_t step = 1;
  if (in.take(':')) {
    const auto given = number(in, "step");
    if (!given) return given.error();
    step = *given;
    if (*bound < *first || step == 0 || step > *bound - *first)
      return in.refused(begin, kRangeLabel, "Invalid range");
  } else {
    next.push_back(":");
  }
  if (*bound < *first) return in.refused(begin, kRangeLabel, "Invalid range");
  const uint32_t last = *first + (*bound - *first) / step * step;
  return IdArray::Part{{*first, last, last == *first ? 1 : step}, *bound};
}

// x with a * x = 1 (mod m). REQUIRES: gcd(a, m) = 1, m > 1.
uint64_t inverse(uint64_t a, uint64_t m) {
  int64_t old_r = int64_t(a % m), r = int64_t(m), old_x = 1, x = 0;
  while (r != 0) {
    const int64_t q = old_r / r;
    old_r = std::exchange(r, old_r - q * r);
    old_x = std::exchange(x, old_x - q * x);
  }
  return uint64_t(old_x < 0 ? old_x + int64_t(m) : old_x);
}

// Two arithmetic progressions share a member if the smallest common solution of both congruences that is not
// below either start is not above either end.
bool share_member(const IdRange& a, const IdRange& b) {
  if (b.first < a.first) return share_member(b, a);
  const uint64_t end = std::min(a.last, b.last);
  if (b.first > end) return false;
  const uint64_t gcd = std::gcd(uint64_t{a.step}, uint64_t{b.step});
  const uint64_t distance = b.first - a.first;
  if (distance % gcd != 0) return false;
  const uint64_t m = b.step / gcd;
  // distance / gcd and the inverse are below 2^32 each, so nothing here overflows 64 bits.
  const uint64_t steps = m == 1 ? 0 : (distance / gcd) % m * inverse(a.step / gcd, m) % m;
  uint64_t common = a.first + steps * a.step;
  if (common < b.first) {
    const uint64_t period = a.step * m;
    common += (b.first - common + period - 1) / period * period;
  }
  return common <= end;
}

}  // namespace

bool has_overlap(const IdArray& array) {
  std::vector<IdRange> sorted;
  for (const auto& part : array.parts) sorted.push_back(part.range);
  std::sort(sorted.begin(), sorted.end(),
            [](const IdRange& a, const IdRange& b) { return a.first < b.first; });
  std::vector<IdRange> open;  // those that reach to the current one
  for (const IdRange& range : sorted) {
    std::erase_if(open, [&](const IdRange& earlier) { return earlier.last < range.first; });
    if (std::any_of(open.begin(), open.end(),
                    [&](const IdRange& earlier) { return share_member(earlier, range); })) {
      return true;
    }
    open.push_back(range);
  }
  return false;
}

Result<IdArray> parse_id_array(std::string_view text) {
  Scanner in(text);
  IdArray array;
  for (bool more = true; more;) {
    in.skip_blanks();
    std::vector<std::string> next{",", std::string(kEndOfInput), "_"};
    const auto part = range(in, next);
    if (!part) return part.error();
    array.parts.push_back(*part);
    const bool blank = in.skip_blanks();
    more = in.take(',');
    if (!more && !in.at_end()) {
      if (blank) return in.unexpected("", {",", std::string(kEndOfInput)});
      return in.unexpected("number", next);
    }
  }
  if (has_overlap(array)) return in.refused(0, "", "Ranges overlap");
  return array;
}

}  // namespace hq
