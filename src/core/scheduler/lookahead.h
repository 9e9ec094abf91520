// A look ahead at the end of a workload: in which order a few tasks of known durations are done soonest.
// Orders are played through, beginning with those that mostly do well and going on with small changes of the
// best; the work that may be spent is fixed. So the answer is good, and not always the best.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hq {

// Amounts are by resource, the same ones everywhere. Times are seconds from now. At most 64 machines.
struct Ahead {
  struct Machine {
    std::vector<int64_t> free;
    std::vector<int64_t> total;
    double life = 0;
  };
  struct Running {
    size_t machine = 0;
    double ends = 0;
    std::vector<int64_t> holds;
  };
  struct Variant {
    std::vector<int64_t> asks;  // kAll: all that the machine has
    double least_life = 0;
  };
  struct Kind {  // tasks that are alike
    uint32_t count = 0;
    double seconds = 0;
    std::vector<Variant> variants;
    std::vector<size_t> machines;  // in the order in which they are tried
  };
  static constexpr int64_t kAll = -1;

  std::vector<Machine> machines;
  std::vector<Running> running;
  std::vector<Kind> kinds;
  // Room may stay empty for the plan's sake when something ends within this time, and until then.
  double most_wait = 0;
};

// A waiting task in an order. Those with a variant take it where they can have it, and another one rather
// than leave room empty. A patient one waits for its variant, and for its machine if it has one; meanwhile
// nothing behind it starts there.
struct AheadTurn {
  static constexpr uint8_t kAny = 0xff;
  uint32_t kind = 0;
  uint8_t variant = kAny;
  bool patient = false;
  uint8_t machine = kAny;
};
struct AheadOrder {
  std::vector<AheadTurn> turns;
  bool tightest = false;  // the machine that is left with least, instead of the first one
};
struct AheadStart {
  size_t kind = 0;
  uint8_t variant = 0;
  size_t machine = 0;
};

class LookAhead {
 public:
  explicit LookAhead(const Ahead& ahead);

  // Finds an order that is done sooner than `usual` by more than a hundredth. One with patient turns has to
  // be done sooner than any without by more than a twentieth. `before` is one that did well when it was
  // looked for last. Spends about so much work. False when it finds none.
  bool search(const AheadOrder& usual, const AheadOrder& before, uint64_t work);
  // What starts at once, and the order of the rest. REQUIRES: search() found one.
  [[nodiscard]] const std::vector<AheadStart>& starts() const { return starts_; }
  [[nodiscard]] const AheadOrder& rest() const { return rest_; }
  // Machines where something that waits would fit besides, but nothing else starts until the next end.
  [[nodiscard]] const std::vector<size_t>& left_idle() const { return left_idle_; }
  [[nodiscard]] double next_end() const { return next_end_; }
  [[nodiscard]] uint64_t spent() const { return spent_; }

 private:
  struct Result {
    double makespan = 0;
    double late = 0;  // what ends after the least time: how much later, times how large
  };
  struct End {
    double at;
    size_t machine;
    const int64_t* holds;
    bool operator<(const End& other) const { return at > other.at; }
  };

  [[nodiscard]] Result play(const AheadOrder& order, double limit, bool keep_starts);
  void place(const AheadOrder& order, double now, bool any_variant, bool keep_starts);
  [[nodiscard]] bool start(const AheadTurn& turn, uint8_t variant, bool tightest, double now, bool keep);
  [[nodiscard]] bool waits(const AheadTurn& turn, double now) const;
  [[nodiscard]] bool fits(size_t machine, const Ahead::Kind& kind, const Ahead::Variant& variant,
                          double now) const;
  [[nodiscard]] double left_after(size_t machine, const Ahead::Variant& variant) const;
  [[nodiscard]] double bound() const;
  void consider(const AheadOrder& order);
  void change(AheadOrder& order);
  [[nodiscard]] std::vector<AheadOrder> good_orders(const AheadOrder& usual) const;
  void improve(const std::vector<AheadOrder>& good, uint64_t work);
  void improve_by_waiting(const AheadOrder& before, const std::vector<AheadOrder>& good, uint64_t work);
  void find_left_idle();
  [[nodiscard]] uint64_t below(uint64_t n);

  const Ahead& ahead_;
  size_t resources_ = 0;
  std::vector<double> sums_;   // of all machines, by resource
  std::vector<double> sizes_;  // by kind: its shares of these
  double least_ = 0;           // no order is done sooner
  std::vector<std::vector<std::vector<int64_t>>>
      held_;  // by kind, variant * machines + machine: what it takes
  uint64_t random_ = 0x9e3779b97f4a7c15;
  uint64_t spent_ = 0;
  bool may_wait_ = false;  // patient turns are tried as well

  AheadOrder best_;
  Result best_result_;

  // of the play at hand
  std::vector<int64_t> free_;  // by machine, then resource
  std::vector<End> ends_;
  std::vector<AheadTurn> waiting_;
  std::vector<bool> failed_;  // by kind, then variant: nothing is left for it at this moment
  uint64_t kept_ = 0;         // machines, as bits: somebody patient waits for them
  Result result_;
  std::vector<AheadStart> starts_;
  AheadOrder rest_;
  std::vector<size_t> left_idle_;
  double next_end_ = 0;
};

}  // namespace hq
