#include "hq/core/resource_pool.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "hq/base/random.h"

using namespace hq;

namespace {

ResourceItem groups(std::string name, std::vector<uint32_t> sizes) {
  ResourceGroups kind;
  uint32_t label = 0;
  for (uint32_t size : sizes) {
    auto& group = kind.groups.emplace_back();
    for (uint32_t i = 0; i < size; ++i) group.push_back(std::to_string(label++));
  }
  return {std::move(name), kind};
}

ResourceItem sum(std::string name, uint64_t scaled) {
  return {std::move(name), ResourceSum{Amount::from_scaled(scaled)}};
}

ResourceVariant want(std::vector<ResourceEntry> entries) {
  ResourceVariant variant;
  variant.entries = std::move(entries);
  return variant;
}

ResourceVariant cpus(uint64_t scaled, Policy policy = Policy::kCompact) {
  return want({{"cpus", Amount::from_scaled(scaled), policy}});
}

// Taken indices per group of 4.
std::vector<int> per_group(const ResourceClaim& claim, size_t count) {
  std::vector<int> n(count);
  for (const auto& label : claim.labels("cpus")) ++n[std::stoul(label) / 4];
  std::sort(n.rbegin(), n.rend());
  return n;
}

}  // namespace

TEST_CASE("a claim takes whole indices and gives them back when it goes") {
  ResourcePool pool({{groups("cpus", {4})}, {}});
  {
    auto claim = pool.allocate(cpus(30'000));
    REQUIRE(claim);
    CHECK(claim->labels("cpus") == std::vector<std::string>{"0", "1", "2"});
    CHECK(claim->amount("cpus") == Amount::units(3));
    CHECK(pool.free("cpus") == Amount::units(1));
    CHECK_FALSE(pool.allocate(cpus(20'000)));
    pool.check_invariants();

    ResourceClaim moved = std::move(*claim);
    CHECK_FALSE(claim->active());
    CHECK(pool.free("cpus") == Amount::units(1));
  }
  CHECK(pool.free("cpus") == Amount::units(4));
  pool.check_invariants();
}

TEST_CASE("a fraction comes from one index, never from two that are partly free") {
  ResourcePool pool({{groups("cpus", {2})}, {}});
  auto a = pool.allocate(cpus(6'000));
  auto b = pool.allocate(cpus(6'000));
  REQUIRE(a);
  REQUIRE(b);
  CHECK(pool.free("cpus") == Amount::from_scaled(8'000));

  CHECK_FALSE(pool.fits(cpus(5'000)));
  auto c = pool.allocate(cpus(4'000));
  REQUIRE(c);
  CHECK((c->labels("cpus") == a->labels("cpus") || c->labels("cpus") == b->labels("cpus")));
}

TEST_CASE("the partly taken index is listed last") {
  ResourcePool pool({{groups("cpus", {4})}, {}});
  auto half = pool.allocate(cpus(5'000));
  auto claim = pool.allocate(cpus(25'000));
  REQUIRE(claim);
  CHECK(claim->labels("cpus") == std::vector<std::string>{"1", "2", "0"});
  CHECK(pool.free("cpus") == Amount::units(1));
}

TEST_CASE("a fraction alone prefers a broken index to breaking another") {
  ResourcePool pool({{groups("cpus", {4, 3})}, {}});
  auto first = pool.allocate(cpus(15'000, Policy::kScatter));
  auto second = pool.allocate(cpus(5'000));
  CHECK(second->labels("cpus").back() == first->labels("cpus").back());
}

TEST_CASE("sums are plain subtraction without labels") {
  ResourcePool pool({{sum("mem", 1'000'000)}, {}});
  auto claim = pool.allocate(want({{"mem", Amount::from_scaled(999'999)}}));
  REQUIRE(claim);
  CHECK(claim->labels("mem").empty());
  CHECK(pool.free("mem") == Amount::from_scaled(1));
  CHECK_FALSE(pool.allocate(want({{"mem", Amount::from_scaled(2)}})));
}

TEST_CASE("a resource the worker does not have counts as zero") {
  ResourcePool pool({{groups("cpus", {2})}, {}});
  CHECK_FALSE(pool.fits(want({{"gpus/nvidia", Amount::units(1)}})));
  CHECK_FALSE(pool.fits(want({{"gpus/nvidia", Amount(), Policy::kAll}})));
  CHECK(pool.fits(want({{"gpus/nvidia", Amount()}})));
  CHECK(pool.free("gpus/nvidia").is_zero());
}

TEST_CASE("all entries are taken or none") {
  ResourcePool pool({{groups("cpus", {2}), sum("mem", 10'000)}, {}});
  CHECK_FALSE(pool.allocate(want({{"cpus", Amount::units(1)}, {"mem", Amount::units(2)}})));
  CHECK(pool.free("cpus") == Amount::units(2));
}

TEST_CASE("'all' needs the whole pool free and takes it") {
  ResourcePool pool({{groups("cpus", {2, 2}), sum("mem", 50'000)}, {}});
  const auto everything = want({{"cpus", Amount(), Policy::kAll}, {"mem", Amount(), Policy::kAll}});
  {
    auto one = pool.allocate(cpus(1'000));
    CHECK_FALSE(pool.allocate(everything));
  }
  auto claim = pool.allocate(everything);
  REQUIRE(claim);
  CHECK(claim->labels("cpus") == std::vector<std::string>{"0", "1", "2", "3"});
  CHECK(claim->amount("mem") == Amount::units(5));
  CHECK(pool.free("mem").is_zero());
}

TEST_CASE("policies spread over groups as they say") {
  ResourcePool pool({{groups("cpus", {4, 4, 4})}, {}});
  const auto spread_of = [&](uint64_t n, Policy policy) {
    auto claim = pool.allocate(cpus(n * Amount::kScale, policy));
    REQUIRE(claim);
    pool.check_invariants();
    return per_group(*claim, 3);
  };
  CHECK(spread_of(6, Policy::kCompact) == std::vector<int>{3, 3, 0});
  CHECK(spread_of(6, Policy::kTight) == std::vector<int>{4, 2, 0});
  CHECK(spread_of(6, Policy::kScatter) == std::vector<int>{2, 2, 2});
  CHECK(spread_of(4, Policy::kCompact) == std::vector<int>{4, 0, 0});
  CHECK(spread_of(9, Policy::kCompact) == std::vector<int>{3, 3, 3});
  CHECK(spread_of(9, Policy::kTight) == std::vector<int>{4, 4, 1});
}

TEST_CASE("a compact claim uses as few groups as currently possible, a strict one waits for fewer") {
  ResourcePool pool({{groups("cpus", {4, 4})}, {}});
  auto a = pool.allocate(cpus(20'000));
  auto b = pool.allocate(cpus(40'000, Policy::kScatter));
  REQUIRE(b);

  CHECK(pool.free("cpus") == Amount::units(2));
  a->give_back();
  CHECK_FALSE(pool.fits(cpus(40'000, Policy::kForceCompact)));
  CHECK_FALSE(pool.fits(cpus(40'000, Policy::kForceTight)));
  auto c = pool.allocate(cpus(40'000));
  REQUIRE(c);
  CHECK(per_group(*c, 2) == std::vector<int>{2, 2});
  c->give_back();
  b->give_back();
  CHECK(pool.fits(cpus(40'000, Policy::kForceCompact)));
}

TEST_CASE("no sequence of claims over-commits an index, a fraction or a sum") {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SeededRandom random(seed);
    const ResourceDescriptor descriptor{{groups("cpus", {4, 3, 5}), sum("mem", 123'456)}, {}};
    ResourcePool pool(descriptor);
    std::vector<ResourceClaim> claims;
    for (int step = 0; step < 400; ++step) {
      if (!claims.empty() && random.chance(0.45)) {
        claims.erase(claims.begin() + std::ptrdiff_t(random.below(claims.size())));
      } else {
        auto variant = cpus(random.below(60'000), Policy(random.below(5)));
        if (random.chance(0.05)) variant.entries[0] = {"cpus", Amount(), Policy::kAll};
        if (random.chance(0.4)) variant.entries.push_back({"mem", Amount::from_scaled(random.below(60'000))});
        const bool fits = pool.fits(variant);
        auto claim = pool.allocate(variant);
        REQUIRE(fits == claim.has_value());
        if (claim) claims.push_back(std::move(*claim));
      }
      pool.check_invariants();
      // The book kept here: whole labels are held once; what claims hold and what is free is the total.
      uint64_t cpus_taken = 0;
      uint64_t mem_taken = 0;
      std::map<std::string, int> whole;
      for (const auto& claim : claims) {
        cpus_taken += claim.amount("cpus").scaled;
        mem_taken += claim.amount("mem").scaled;
        const auto labels = claim.labels("cpus");
        REQUIRE(labels.size() == claim.amount("cpus").whole() + (claim.amount("cpus").fraction() > 0));
        for (size_t i = 0; i < claim.amount("cpus").whole(); ++i) REQUIRE(++whole[labels[i]] == 1);
      }
      REQUIRE(cpus_taken + pool.free("cpus").scaled == pool.total("cpus").scaled);
      REQUIRE(mem_taken + pool.free("mem").scaled == pool.total("mem").scaled);
    }
    claims.clear();
    CHECK(pool.free("cpus") == Amount::units(12));
    CHECK(pool.fits(want({{"cpus", Amount(), Policy::kAll}})));
  }
}

// --- coupling
// -----------------------------------------------------------------------------------------------

namespace {

// Two sockets of four cpus and two GPUs each; socket n is coupled with the GPUs of group n.
ResourceDescriptor coupled_node() {
  return {{groups("cpus", {4, 4}), groups("gpus", {2, 2})}, {{0, 0, 1, 0, 256}, {0, 1, 1, 1, 256}}};
}

ResourceVariant cpus_and_gpus(uint64_t cpus, uint64_t gpus, Policy policy = Policy::kCompact) {
  return want({{"cpus", Amount::units(cpus), policy}, {"gpus", Amount::units(gpus), policy}});
}

}  // namespace

TEST_CASE("coupled groups are taken together") {
  ResourcePool pool(coupled_node());
  // The first group of cpus gets fuller, and the usual choice would go by what has most room.
  auto first = pool.allocate(want({{"cpus", Amount::units(2), Policy::kCompact}}));
  REQUIRE(first);
  auto gpu = pool.allocate(want({{"gpus", Amount::units(1), Policy::kCompact}}));
  REQUIRE(gpu);
  auto claim = pool.allocate(cpus_and_gpus(2, 1));
  REQUIRE(claim);
  const auto cpu_group = std::stoul(claim->labels("cpus")[0]) / 4;
  const auto gpu_group = std::stoul(claim->labels("gpus")[0]) / 2;
  CHECK(cpu_group == gpu_group);
  pool.check_invariants();
}

TEST_CASE("a strict request waits for the best coupling, a plain one takes what there is") {
  ResourcePool pool(coupled_node());
  // Both halves of the node, one after the other; then the cpus of one and the GPUs of the other come back.
  auto one = pool.allocate(cpus_and_gpus(4, 2));
  auto other_cpus = pool.allocate(want({{"cpus", Amount::units(4), Policy::kCompact}}));
  auto other_gpus = pool.allocate(want({{"gpus", Amount::units(2), Policy::kCompact}}));
  REQUIRE((one && other_cpus && other_gpus));
  one->give_back();
  auto gpus_of_one = pool.allocate(want({{"gpus", Amount::units(2), Policy::kCompact}}));
  REQUIRE(gpus_of_one);
  other_gpus->give_back();

  CHECK_FALSE(pool.allocate(cpus_and_gpus(2, 1, Policy::kForceCompact)));
  CHECK(pool.has_amounts(cpus_and_gpus(2, 1)));
  CHECK(pool.allocate(cpus_and_gpus(2, 1)));
  gpus_of_one->give_back();
  CHECK(pool.allocate(cpus_and_gpus(2, 1, Policy::kForceCompact)));
}

TEST_CASE("the heavier of two couplings is taken") {
  ResourcePool pool({{groups("cpus", {2, 2}), groups("net", {1, 1})}, {{0, 0, 1, 1, 10}, {0, 1, 1, 1, 300}}});
  auto claim = pool.allocate(want({{"cpus", Amount::units(2), Policy::kTight}, {"net", Amount::units(1)}}));
  REQUIRE(claim);
  CHECK(claim->labels("cpus") == std::vector<std::string>{"2", "3"});
  CHECK(claim->labels("net") == std::vector<std::string>{"1"});
}

TEST_CASE("coupled claims keep the pool consistent whatever comes and goes") {
  SeededRandom random(5);
  ResourcePool pool(coupled_node());
  std::vector<ResourceClaim> held;
  for (int i = 0; i < 2000; ++i) {
    if (random.below(3) == 0 && !held.empty()) {
      held.erase(held.begin() + ptrdiff_t(random.below(held.size())));
    } else {
      const Policy policy = random.below(3) == 0 ? Policy::kForceTight : Policy::kTight;
      auto claim = pool.allocate(cpus_and_gpus(1 + random.below(5), random.below(3), policy));
      if (claim) held.push_back(std::move(*claim));
    }
    pool.check_invariants();
  }
}
