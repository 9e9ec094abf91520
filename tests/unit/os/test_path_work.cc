#include <unistd.h>
#include <cerrno>

#include "unit/os/launcher_fixture.h"

using namespace hq;
using namespace hq::test;

TEST_CASE("directories are made with those above them, existing ones are fine") {
  TempDir dir;
  std::ofstream(dir / "file") << "x";

  CHECK(path_work::make_directories(dir / "a/b//c/") == 0);
  CHECK(path_work::make_directories(dir / "a/b/c") == 0);
  CHECK(exists(dir / "a/b/c"));
  CHECK(path_work::make_directories(dir / "file") == EEXIST);
  CHECK(path_work::make_directories(dir / "file/x") == ENOTDIR);
}

TEST_CASE("a tree is removed without following its links") {
  TempDir dir;
  REQUIRE(path_work::make_directories(dir / "tree/a/b") == 0);
  REQUIRE(path_work::make_directories(dir / "outside") == 0);
  std::ofstream(dir / "outside/kept") << "x";
  std::ofstream(dir / "tree/a/file") << "x";
  REQUIRE(symlink((dir / "outside").c_str(), (dir / "tree/link").c_str()) == 0);

  CHECK(path_work::remove_tree(dir / "tree") == 0);

  CHECK_FALSE(exists(dir / "tree"));
  CHECK(exists(dir / "outside/kept"));
  CHECK_MESSAGE(path_work::remove_tree(dir / "tree") == 0, "what is not there is removed already");
}
