#include "journal/files.h"

#include <algorithm>
#include <charconv>

#include "journal/varint.h"

namespace hq {

Bytes encode_header(const FileHeader& header) {
  Bytes out;
  put_varint(out, header.version);
  put_varint(out, header.epoch);
  put_varint(out, header.first_number);
  put_varint(out, header.compacted_until);
  put_varint(out, uint64_t(header.created.ns));
  put_varint(out, header.server_uid.size());
  return out += header.server_uid;
}

// What a newer program adds comes behind, and is not looked at.
std::optional<FileHeader> decode_header(BytesView bytes) {
  ByteReader in(bytes);
  FileHeader header;
  header.version = in.varint();
  header.epoch = in.varint();
  header.first_number = in.varint();
  header.compacted_until = in.varint();
  header.created = {int64_t(in.varint())};
  header.server_uid = in.bytes(in.varint());
  if (!in.ok()) return std::nullopt;
  return header;
}

Bytes beginning_of(const FileHeader& header) {
  Bytes out(kMagic);
  put_frame(out, 0, FrameKind::kHeader, encode_header(header));
  return out;
}

std::string file_path(const std::string& path, uint64_t sequence) {
  return sequence == 1 ? path : path + "." + std::to_string(sequence);
}

Result<std::vector<JournalFileName>> journal_files(Disk& disk, const std::string& path) {
  const SplitPath split = split_path(path);
  auto names = disk.list(split.directory);
  if (!names) return names.error();
  std::vector<JournalFileName> out;
  for (const std::string& name : *names) {
    if (name == split.name) {
      out.push_back({path, 1});
      continue;
    }
    if (!name.starts_with(split.name + ".")) continue;
    uint64_t sequence = 0;
    const char* begin = name.data() + split.name.size() + 1;
    const char* end = name.data() + name.size();
    const auto [stop, failure] = std::from_chars(begin, end, sequence);
    if (failure != std::errc() || stop != end || sequence < 2 || file_path(split.name, sequence) != name)
      continue;
    out.push_back({file_path(path, sequence), sequence});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
  return out;
}

}  // namespace hq
