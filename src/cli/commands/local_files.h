// Files on the machine of the command: scripts with directives, entries of tasks, outputs that are shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace hq::cli {

class LocalFiles {
 public:
  struct Content {
    std::string bytes;
    int errnum = 0;  // not 0: it could not be read, and this is why
  };
  virtual ~LocalFiles() = default;
  // The whole file, or its first `limit` bytes.
  virtual Content read(const std::string& path, size_t limit = SIZE_MAX) = 0;
  // Hands the file over piece by piece; returns 0 or an error number.
  virtual int read_in_pieces(const std::string& path, const std::function<void(std::string_view)>& take) = 0;
  // How long the file is now; 0 if that says nothing (a pipe, or it cannot be looked at).
  virtual size_t size_of(const std::string& path) = 0;
};

// The real ones.
class SystemFiles final : public LocalFiles {
 public:
  Content read(const std::string& path, size_t limit) override;
  int read_in_pieces(const std::string& path, const std::function<void(std::string_view)>& take) override;
  size_t size_of(const std::string& path) override;
};

}  // namespace hq::cli
