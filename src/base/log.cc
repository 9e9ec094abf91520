#include "hq/base/log.h"

namespace hq::log {}
