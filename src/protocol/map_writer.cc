#include "protocol/map_writer.h"

namespace hq {

// Whole units as an integer, fractions as a float while that is exact, else as decimal text.
void put(WireWriter& w, Amount v) {
  if (v.fraction() == 0) {
    w.uint(v.whole());
  } else if (double(v.scaled) < kExactAmount) {
    w.f64(double(v.scaled) / double(Amount::kScale));
  } else {
    w.str(v.text());
  }
}

void put(WireWriter& w, Duration v) {
  w.f64(std::chrono::duration<double>(v).count());
}

void put(WireWriter& w, WallTime v) {
  w.sint(v.ns);
}

void put(WireWriter& w, IdRange v) {
  w.array(3);
  w.uint(v.first);
  w.uint(v.last);
  w.uint(v.step);
}

void put(WireWriter& w, CrashLimit v) {
  if (v.value == CrashLimit::kNeverRestart) {
    w.str("never-restart");
  } else if (v.value == CrashLimit::kUnlimited) {
    w.str("unlimited");
  } else {
    w.uint(v.value);
  }
}

// The bound goes as written; the last member follows from it.
void put(WireWriter& w, const IdArray& v) {
  w.array(v.parts.size());
  for (const IdArray::Part& part : v.parts) put(w, IdRange{part.range.first, part.bound, part.range.step});
}

void put(WireWriter& w, const StdioSpec& v) {
  w.map(3);
  w.str("kind");
  put(w, v.kind);
  w.str("path");
  put(w, v.path);
  w.str("remove_if_finished");
  put(w, v.remove_if_finished);
}

// "ends" are the bytes of little-endian 32 bit numbers, so that a million of them cost one copy.
void put(WireWriter& w, const Entries& v) {
  w.map(2);
  w.str("blob");
  w.bin(v.blob);
  w.str("ends");
  w.bin(BytesView(reinterpret_cast<const char*>(v.ends.data()), v.ends.size() * sizeof(uint32_t)));
}

namespace {

struct ResourceKindWriter {
  WireWriter& w;
  void operator()(const ResourceList& v) const {
    w.str("list");
    put(w, v.labels);
  }
  void operator()(const ResourceGroups& v) const {
    w.str("groups");
    put(w, v.groups);
  }
  void operator()(const ResourceSpan& v) const {
    w.str("range");
    w.array(2);
    w.uint(v.first);
    w.uint(v.last);
  }
  void operator()(const ResourceSum& v) const {
    w.str("sum");
    put(w, v.size);
  }
};

}  // namespace

void put(WireWriter& w, const ResourceKind& v) {
  w.map(1);
  std::visit(ResourceKindWriter{w}, v);
}

void put(WireWriter& w, const msg::Selection& v) {
  switch (v.kind) {
    case msg::Selection::Kind::kLast:
      return w.str("last");
    case msg::Selection::Kind::kAll:
      return w.str("all");
    case msg::Selection::Kind::kIds:
      return put(w, v.ids);
  }
}

// A map; names that are not UTF-8 are keys of type bin.
void put(WireWriter& w, const std::vector<std::pair<std::string, std::string>>& env) {
  w.map(env.size());
  for (const auto& [name, value] : env) {
    w.text(name);
    w.text(value);
  }
}

void put(WireWriter& w, const std::vector<std::pair<WorkerId, std::string>>& hosts) {
  w.array(hosts.size());
  for (const auto& [worker, host] : hosts) {
    w.array(2);
    w.uint(worker.value);
    w.text(host);
  }
}

void put(WireWriter& w, const std::array<uint64_t, kTaskStates>& counts) {
  w.map(counts.size());
  for (size_t i = 0; i < counts.size(); ++i) {
    w.str(kEnumNames<TaskState>[i]);
    w.uint(counts[i]);
  }
}

}  // namespace hq
