import { Logger } from '@nestjs/common';

new Logger('Stock').log('from a module');
