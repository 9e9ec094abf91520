// HQ_ASSERT: a rule of ours that must hold; on in every build. A failure is a bug of the program, never of
// the user or a peer: it prints file, line and condition, and aborts (the journal brings the server back).
#pragma once

namespace hq {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}

#define HQ_ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::hq::assertion_failed(#condition, __FILE__, __LINE__))
