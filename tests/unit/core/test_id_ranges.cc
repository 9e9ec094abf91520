#include <doctest/doctest.h>

#include <set>

#include "hq/base/random.h"
#include "hq/core/id_ranges.h"

using namespace hq;

TEST_CASE("an array is written as the user wrote it") {
  IdArray array;
  array.parts = {{{1, 3, 1}, 3}, {{7, 7, 1}, 7}, {{0 + 10, 18, 2}, 19}};
  CHECK(array.text() == "1-3,7,10-19:2");
  CHECK(array.count() == 9);
}

TEST_CASE("runs of a result set are maximal") {
  CHECK(runs_of({1, 2, 3, 5}).text() == "1-3,5");
  CHECK(runs_of({}).text().empty());
}

TEST_CASE("a set of interleaved ranges gives its members back in ascending order") {
  IdSet set;
  set.add(IdRange{0, 8, 2});
  set.add(IdRange{1, 9, 2});

  std::vector<uint32_t> seen;
  while (!set.empty()) {
    for (const IdRange& r : set.take_lowest(3)) {
      for (uint32_t id = r.first; id <= r.last; id += r.step) seen.push_back(id);
    }
  }

  CHECK(seen == std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("a set behaves like a set under random operations") {
  SeededRandom random(7);
  for (int round = 0; round < 50; ++round) {
    IdSet set;
    std::set<uint32_t> model;
    for (int op = 0; op < 200; ++op) {
      const uint32_t id = uint32_t(random.below(60));
      switch (random.below(4)) {
        case 0:
        case 1:
          if (!model.count(id)) {
            set.add(id);
            model.insert(id);
          }
          break;
        case 2:
          CHECK(set.remove(id) == (model.erase(id) == 1));
          break;
        case 3:
          for (const IdRange& r : set.take_lowest(random.below(4))) {
            for (uint32_t x = r.first; x <= r.last; x += r.step) {
              REQUIRE(x == *model.begin());
              model.erase(model.begin());
            }
          }
      }
      REQUIRE(set.count() == model.size());
      for (uint32_t x = 0; x < 60; ++x) REQUIRE(set.contains(x) == (model.count(x) == 1));
    }
  }
}
