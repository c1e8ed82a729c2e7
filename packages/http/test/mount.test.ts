import { mountWeb } from "./Mount.ts"
import { mountSuite } from "./mountSuite.ts"

mountSuite("a Web handler", mountWeb)
