// The work of the file threads, as plain functions on paths.
#pragma once

#include <string>

#include "os/file_pool.h"

namespace hq::path_work {

// Makes directories and opens outputs. On failure nothing stays open; a task directory just made stays, as
// files.task_dir_made says.
void prepare(PrepareFiles& files, FileResult& result);
void clean_up(const CleanUpFiles& files, FileResult& result);
void remove(const std::string& path, FileResult& result);

// Makes a directory and those above it; 0 or the errno. An existing directory is fine.
[[nodiscard]] int make_directories(const std::string& path);
// Removes a directory with all that is in it, never following links; 0 or the first errno.
[[nodiscard]] int remove_tree(const std::string& path);

}  // namespace hq::path_work
