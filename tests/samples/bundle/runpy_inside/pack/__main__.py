print('main of pack')
